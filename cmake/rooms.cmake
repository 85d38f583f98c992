# Every room is one static library made of all its sources; x_test.cpp files become one test program of the room.
#   isthmus_room(base DEPS fmt::fmt)            in src/base/CMakeLists.txt      -> isthmus_base, base_test
#   isthmus_room(fs_mem DEPS isthmus_vfs)       in src/fs/mem/CMakeLists.txt    -> isthmus_fs_mem, fs_mem_test

add_library(isthmus_flags INTERFACE)
target_compile_options(isthmus_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wunused -Wnull-dereference
  -Wimplicit-fallthrough -Werror -fvisibility=hidden)
target_compile_definitions(isthmus_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_link_libraries(isthmus_flags INTERFACE Threads::Threads)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives of these inside std::variant and std::string when sanitizers or -O2 inline them.
  target_compile_options(isthmus_flags INTERFACE -Wno-maybe-uninitialized -Wno-restrict -Wno-null-dereference
    -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(isthmus_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(isthmus_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
if(ISTHMUS_SANITIZE)
  add_compile_options(-fsanitize=${ISTHMUS_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ISTHMUS_SANITIZE})
endif()
if(ISTHMUS_FUZZ)
  # Every library tells libFuzzer which branches an input took; tests/fuzz links the driver.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(ISTHMUS_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()

include(cmake/precompiled.cmake)

# isthmus_separate(TARGET...): its sources do not go into one another's compilation where CMAKE_UNITY_BUILD is on, as it is for the
# builds of ./dev that nobody works in (their first build takes half the time); dev compiles all files alone.
function(isthmus_separate)
  set_target_properties(${ARGN} PROPERTIES UNITY_BUILD OFF)
endfunction()

# All unit test programs: what the tsan shard of ./dev test builds.
add_custom_target(unit_tests)

function(isthmus_room name)
  cmake_parse_arguments(ARG "" "" "DEPS;TEST_DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  set(target isthmus_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                                $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/isthmus>)
    target_link_libraries(${target} PUBLIC ${ARG_DEPS} PRIVATE $<BUILD_INTERFACE:isthmus_flags>)
    isthmus_precompiled(library ${target})
    set_property(GLOBAL APPEND PROPERTY ISTHMUS_ROOMS ${target})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src>
                                                   $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/isthmus>)
    target_link_libraries(${target} INTERFACE ${ARG_DEPS})
    set_property(GLOBAL APPEND PROPERTY ISTHMUS_ROOMS ${target})
  endif()
  if(ISTHMUS_UNIT_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${target} isthmus_flags ${ARG_TEST_DEPS} GTest::gmock GTest::gtest_main)
    isthmus_precompiled(test ${name}_test)
    add_dependencies(unit_tests ${name}_test)
    add_test(NAME unit.${name} COMMAND ${name}_test)
    set(seconds 300)
    if(ISTHMUS_SANITIZE)
      set(seconds 1200)  # a busy machine takes many times as long
    endif()
    set_tests_properties(unit.${name} PROPERTIES LABELS "unit;quick" TIMEOUT ${seconds})
  endif()
endfunction()
