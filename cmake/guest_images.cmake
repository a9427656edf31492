# Guest images of ours: freestanding programs on the runtime in tests/guest/runtime. A folder that wants some includes this
# file (each has its own copy of the runtime's objects, since rules of CMake end at a folder), then calls guest_images().
# GUEST_DEBUG_FLAGS, set before, holds for the runtime too.
find_program(VITRINE_LLD ld.lld-19 DOC "linker of the guest images (Debian: lld-19)" REQUIRED)
set(guest_flags_32 --target=i686-unknown-none-elf)
set(guest_flags_64 --target=x86_64-unknown-none-elf -mno-red-zone -mcmodel=small)
set(guest_emulation_32 elf_i386)
set(guest_emulation_64 elf_x86_64)
set(guest_flags -std=c++23 -O2 -ffreestanding -fno-exceptions -fno-rtti -fno-pic -fno-stack-protector
    -fno-threadsafe-statics -fno-asynchronous-unwind-tables -fno-jump-tables -fno-builtin -Wall -Wextra -Werror
    -I${CMAKE_SOURCE_DIR} ${GUEST_DEBUG_FLAGS})
set(guest_runtime ${CMAKE_SOURCE_DIR}/tests/guest/runtime)
set(guest_folder ${CMAKE_CURRENT_BINARY_DIR}/images)
file(MAKE_DIRECTORY ${guest_folder})
file(GLOB guest_headers CONFIGURE_DEPENDS ${guest_runtime}/*.hpp)

# guest_object(OUTPUT SOURCE WIDTH [FLOATING] [flag...]): FLOATING lets the compiler use the FPU's registers.
function(guest_object output source width)
  cmake_parse_arguments(OBJECT "FLOATING" "" "" ${ARGN})
  if(NOT OBJECT_FLOATING)
    list(APPEND OBJECT_UNPARSED_ARGUMENTS -mgeneral-regs-only)
  endif()
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_CXX_COMPILER_LAUNCHER} ${CMAKE_CXX_COMPILER} ${guest_flags_${width}} ${guest_flags}
            ${OBJECT_UNPARSED_ARGUMENTS}
            -c ${source} -o ${output}
    DEPENDS ${source} ${guest_headers} COMMENT "Compiling guest ${output}" VERBATIM)
endfunction()

foreach(width 32 64)
  foreach(part start guest)
    guest_object(${guest_folder}/${part}_${width}.o ${guest_runtime}/${part}.cpp ${width})
  endforeach()
  set(guest_runtime_${width} ${guest_folder}/start_${width}.o ${guest_folder}/guest_${width}.o)
endforeach()

# guest_image(NAME SOURCE WIDTH [OBJECTS file...] [FLAGS flag...]): NAME.elf in the folder of images.
function(guest_image name source width)
  cmake_parse_arguments(IMAGE "" "" "OBJECTS;FLAGS" ${ARGN})
  guest_object(${guest_folder}/${name}.o ${source} ${width} ${IMAGE_FLAGS})
  add_custom_command(OUTPUT ${guest_folder}/${name}.elf
    COMMAND ${VITRINE_LLD} -m ${guest_emulation_${width}} -static -z max-page-size=4096 -z noexecstack
            -T ${guest_runtime}/image.ld ${guest_folder}/${name}.o ${IMAGE_OBJECTS} ${guest_runtime_${width}} -o ${guest_folder}/${name}.elf
    DEPENDS ${guest_folder}/${name}.o ${IMAGE_OBJECTS} ${guest_runtime_${width}} ${guest_runtime}/image.ld
    COMMENT "Linking guest ${name}" VERBATIM)
endfunction()

# guest_images(NAMES_VARIABLE source...): NAME_32.cpp becomes a Multiboot 1 ELF32, NAME_64.cpp a PVH ELF64, NAME.cpp both.
# The names of the images, without .elf, go into the variable.
function(guest_images names_variable)
  set(names "")
  foreach(source IN LISTS ARGN)
    get_filename_component(stem ${source} NAME_WE)
    if(stem MATCHES "_(32|64)$")
      guest_image(${stem} ${source} ${CMAKE_MATCH_1})
      list(APPEND names ${stem})
    else()
      foreach(width 32 64)
        guest_image(${stem}_${width} ${source} ${width})
        list(APPEND names ${stem}_${width})
      endforeach()
    endif()
  endforeach()
  set(${names_variable} ${names} PARENT_SCOPE)
endfunction()

# guest_images_test(TEST file... TARGET target GUESTS source... [DEFINITIONS name=value...]): target makes the images of all
# sources, and TEST is the program of tests that runs them. It is told the command's path as VITRINE_COMMAND, where the
# images are as GUEST_FOLDER, their names as GUEST_NAMES, with commas, and where it stands itself as SOURCE_FOLDER.
function(guest_images_test test)
  cmake_parse_arguments(SET "" "TARGET" "GUESTS;DEFINITIONS" ${ARGN})
  guest_images(names ${SET_GUESTS})
  list(TRANSFORM names REPLACE "(.+)" "${guest_folder}/\\1.elf" OUTPUT_VARIABLE files)
  add_custom_target(${SET_TARGET} ALL DEPENDS ${files})
  if(NOT TARGET vitrine)
    return()
  endif()
  list(TRANSFORM SET_UNPARSED_ARGUMENTS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  list(JOIN names "," list)
  vitrine_test(${test} ${SET_UNPARSED_ARGUMENTS} USES vitrine_base nlohmann_json::nlohmann_json)
  target_compile_definitions(${test} PRIVATE VITRINE_COMMAND="$<TARGET_FILE:vitrine>" GUEST_FOLDER="${guest_folder}"
                             GUEST_NAMES="${list}" SOURCE_FOLDER="${CMAKE_CURRENT_SOURCE_DIR}" ${SET_DEFINITIONS})
  add_dependencies(${test} vitrine ${SET_TARGET})
endfunction()
