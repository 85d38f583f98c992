# What `cmake --install` gives (docs/building.md): the program, and for authors of file systems the static libraries, their headers,
# a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)

# Rooms that authors link, dependents first (the order of the libraries in isthmus.pc), and their names in the CMake package.
set(installed_rooms fs_trace=trace fs_fault=fault fs_mem=mem fs_pass=pass door_fuse=fuse door_userfs=userfs wire_fuse=wire_fuse wire_userfs=wire_userfs run=run vfs=vfs base=base)
# The rest is found from here: every header of ours that these include.
file(GLOB header_roots CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  include/isthmus/*.h src/base/*.h src/vfs/*.h src/vfs/*.def src/doors/fuse/fuse_door.h src/doors/fuse/main.h src/doors/userfs/main.h
  src/fs/trace/trace.h src/fs/fault/fault.h src/fs/mem/mem.h src/fs/pass/pass.h)

set(pc_libs "")
get_property(rooms GLOBAL PROPERTY ISTHMUS_ROOMS)
# isthmus::isthmus is all an author needs: the waist and the door, with the include folders.
add_library(isthmus_all INTERFACE)
set_target_properties(isthmus_all PROPERTIES EXPORT_NAME isthmus)
add_library(isthmus::isthmus ALIAS isthmus_all)
target_include_directories(isthmus_all INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS isthmus_all EXPORT isthmusTargets)
foreach(entry ${installed_rooms})
  string(REPLACE "=" ";" entry ${entry})
  list(GET entry 0 room)
  list(GET entry 1 name)
  set(target isthmus_${room})
  if(NOT target IN_LIST rooms)
    continue()
  endif()
  add_library(isthmus::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(isthmus_all INTERFACE ${target})
  install(TARGETS ${target} EXPORT isthmusTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    string(APPEND pc_libs " -l${target}")
  endif()
endforeach()

# Headers: the roots and what they include, transitively.
set(waiting ${header_roots})
set(headers "")
while(waiting)
  list(POP_FRONT waiting header)
  if(header IN_LIST headers)
    continue()
  endif()
  list(APPEND headers ${header})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${header})
  file(STRINGS ${PROJECT_SOURCE_DIR}/${header} lines REGEX "^[ \t]*#[ \t]*include[ \t]+\"")
  foreach(line ${lines})
    string(REGEX REPLACE ".*\"(.*)\".*" "src/\\1" included "${line}")
    list(APPEND waiting ${included})
  endforeach()
  string(REGEX REPLACE "^(src|include/isthmus)/" "" below ${header})
  get_filename_component(folder ${below} DIRECTORY)
  install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isthmus/${folder})
endwhile()

# CMake package and pkg-config file.
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/isthmus)
install(EXPORT isthmusTargets NAMESPACE isthmus:: DESTINATION ${package_dir})
configure_package_config_file(cmake/isthmusConfig.cmake.in ${PROJECT_BINARY_DIR}/isthmusConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/isthmusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/isthmusConfig.cmake ${PROJECT_BINARY_DIR}/isthmusConfigVersion.cmake DESTINATION ${package_dir})
file(RELATIVE_PATH pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/isthmus.pc.in ${PROJECT_BINARY_DIR}/isthmus.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/isthmus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# libfuse3's interface: headers, and a pkg-config file beside the library, where the system's own stays the one that is found.
install(DIRECTORY include/isthmus/fuse3 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isthmus FILES_MATCHING PATTERN "*.h")
# One for each of the two libraries, whose layouts differ (docs/decisions/0012): fuse3.pc is libfuse3.so.3's, that in so4 libfuse3.so.4's.
file(STRINGS include/isthmus/fuse3/fuse_common.h lines REGEX "^#define FUSE_MINOR_VERSION [0-9]+$")  # of so.4, of so.3
list(TRANSFORM lines REPLACE ".* " "")
foreach(fuse_pc_so 3 4)
  set(fuse_pc_folder isthmus)
  list(GET lines 1 fuse3_version)
  if(fuse_pc_so EQUAL 4)
    set(fuse_pc_folder isthmus/so4)
    list(GET lines 0 fuse3_version)
  endif()
  set(fuse3_version "3.${fuse3_version}.0")
  file(RELATIVE_PATH fuse_pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/${fuse_pc_folder}/pkgconfig ${CMAKE_INSTALL_PREFIX})
  configure_file(cmake/fuse3.pc.in ${PROJECT_BINARY_DIR}/${fuse_pc_folder}/fuse3.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${fuse_pc_folder}/fuse3.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/${fuse_pc_folder}/pkgconfig)
endforeach()

# libfuse 2's interface.
install(DIRECTORY include/isthmus/fuse DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/isthmus FILES_MATCHING PATTERN "*.h")
file(RELATIVE_PATH fuse_pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/isthmus/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/fuse.pc.in ${PROJECT_BINARY_DIR}/fuse.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fuse.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/isthmus/pkgconfig)

# The program and its papers.
if(TARGET isthmus)
  install(TARGETS isthmus RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(TARGETS isthmus_net RUNTIME DESTINATION ${CMAKE_INSTALL_LIBDIR}/isthmus)
endif()
file(GLOB pages CONFIGURE_DEPENDS docs/man/*.1)
install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
set(completions ${PROJECT_SOURCE_DIR}/src/cli/completions)
foreach(completion "isthmus.bash:bash-completion/completions:isthmus" "_isthmus:zsh/site-functions:_isthmus"
                   "isthmus.zsh:zsh/site-functions:_isthmus" "isthmus.fish:fish/vendor_completions.d:isthmus.fish")
  string(REPLACE ":" ";" completion ${completion})
  list(GET completion 0 file)
  list(GET completion 1 folder)
  list(GET completion 2 name)
  if(EXISTS ${completions}/${file})
    install(FILES ${completions}/${file} DESTINATION ${CMAKE_INSTALL_DATADIR}/${folder} RENAME ${name})
  endif()
endforeach()
# Programs that answer packets of userfs, in Python: the module and one that uses it.
install(PROGRAMS examples/userfs.py examples/hello_userfs.py DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
foreach(paper LICENSE README.md)
  if(EXISTS ${PROJECT_SOURCE_DIR}/${paper})
    install(FILES ${paper} DESTINATION ${CMAKE_INSTALL_DOCDIR})
  endif()
endforeach()
