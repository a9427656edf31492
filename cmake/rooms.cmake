# One target per room of the house. A room is a folder; its unit tests stand beside the code they test.

include_guard()
include(GoogleTest)

add_library(vitrine_options INTERFACE)
target_compile_options(vitrine_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wno-gnu-anonymous-struct
  -Wno-nested-anon-types -Wno-c99-designator -Wno-missing-field-initializers
  -fno-strict-aliasing)

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
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE ${name} vitrine_options GTest::gtest GTest::gmock GTest::gtest_main)
    gtest_discover_tests(${name}_test DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
