# One target per room of the house. A room is a folder; its unit tests stand beside the code they test.

include_guard()
include(GoogleTest)

add_library(vitrine_options INTERFACE)
target_compile_options(vitrine_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wno-gnu-anonymous-struct
  -Wno-nested-anon-types -Wno-c99-designator -Wno-c99-extensions -Wno-c99-extensions -Wno-missing-field-initializers
  -fno-strict-aliasing)

# vitrine_test(NAME file... USES target...): a GoogleTest program; each of its cases is a test of ctest.
function(vitrine_test name)
  cmake_parse_arguments(TEST "" "" "USES" ${ARGN})
  add_executable(${name} ${TEST_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${TEST_USES} vitrine_options GTest::gtest GTest::gmock GTest::gtest_main)
  if(VITRINE_TEST_PCH)
    target_compile_options(${name} PRIVATE ${vitrine_pch_options})
    target_precompile_headers(${name} REUSE_FROM vitrine_test_headers)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60)
endfunction()

if(VITRINE_TEST_PCH)
  set(vitrine_pch_options "SHELL:-Xclang -fno-pch-timestamp")  # so that ccache may keep what uses it
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/vitrine_test_headers.cpp CONTENT "")
  add_library(vitrine_test_headers OBJECT ${CMAKE_BINARY_DIR}/vitrine_test_headers.cpp)
  target_link_libraries(vitrine_test_headers PRIVATE vitrine_options GTest::gtest GTest::gmock)
  target_compile_options(vitrine_test_headers PRIVATE ${vitrine_pch_options})
  target_precompile_headers(vitrine_test_headers PRIVATE <gtest/gtest.h> <gmock/gmock.h>)
endif()

# vitrine_room(NAME FOLDER USES target...): a static library from all FOLDER/**/*.cpp that are not tests,
# and an executable NAME_test from all FOLDER/**/*_test.cpp.
function(vitrine_room name folder)
  cmake_parse_arguments(ROOM "" "" "USES" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC ${ROOM_USES} PRIVATE vitrine_options)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${ROOM_USES})
  endif()
  if(tests)
    vitrine_test(${name}_test ${tests} USES ${name})
  endif()
endfunction()

# vitrine_fuzzer(NAME FILE USES target...): FILE defines LLVMFuzzerTestOneInput. With VITRINE_SANITIZE it becomes a
# libFuzzer program; else a plain driver feeds it a fixed set of inputs, so that it can't rot. Seeds, one a file, stand in
# corpus/NAME beside FILE. In ctest both do a short run; the plain driver's is the same every time, libFuzzer's also starts
# from what its runs before found.
function(vitrine_fuzzer name file)
  cmake_parse_arguments(FUZZ "" "" "USES" ${ARGN})
  set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  if(NOT IS_DIRECTORY ${seeds})
    set(seeds "")
  endif()
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE ${FUZZ_USES} vitrine_options)
  if(VITRINE_SANITIZE)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/found-${name})  # libFuzzer writes what it finds into the first folder
    file(MAKE_DIRECTORY ${found})
    add_test(NAME fuzz.${name} COMMAND ${name} -seed=1 -runs=20000 -max_len=4096 -timeout=20 -max_total_time=10 -verbosity=0
             -artifact_prefix=${found}/ ${found} ${seeds})
  else()
    target_sources(${name} PRIVATE ${CMAKE_SOURCE_DIR}/cmake/plain_fuzz_driver.cpp)
    add_test(NAME fuzz.${name} COMMAND ${name} ${seeds})
  endif()
endfunction()
