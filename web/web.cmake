# The page of the WebDAV door: web/*.ts and web/page.css, bundled by esbuild and embedded as bytes.
#   isthmus_web(TARGET)   adds them to TARGET, which reads them by doors/webdav/assets.h
find_program(ISTHMUS_ESBUILD esbuild)
if(NOT ISTHMUS_ESBUILD)
  message(FATAL_ERROR "esbuild, which bundles the web page, is missing: apt-get install esbuild (https://esbuild.github.io elsewhere)")
endif()

function(isthmus_web target)
  set(web ${PROJECT_SOURCE_DIR}/web)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/web)
  file(GLOB scripts CONFIGURE_DEPENDS ${web}/*.ts)
  add_custom_command(OUTPUT ${out}/page.js ${out}/status.js ${out}/page.css
    COMMAND ${ISTHMUS_ESBUILD} ${web}/page.ts ${web}/status.ts --bundle --minify --format=iife --target=es2020 --charset=utf8
      --log-level=warning --outdir=${out}
    COMMAND ${ISTHMUS_ESBUILD} ${web}/page.css --minify --log-level=warning --outfile=${out}/page.css
    DEPENDS ${scripts} ${web}/page.css ${web}/tsconfig.json VERBATIM)
  add_custom_command(OUTPUT ${out}/assets.cpp
    COMMAND ${CMAKE_COMMAND} -D FOLDER=${out} -D OUT=${out}/assets.cpp -P ${web}/embed.cmake
    DEPENDS ${out}/page.js ${out}/status.js ${out}/page.css ${web}/embed.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out}/assets.cpp)
  set_source_files_properties(${out}/assets.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
