# The DSDTs: machine/boot/board.asl through the C preprocessor (once per board) and iasl (Debian: acpica-tools) into C
# arrays that acpi_tables.cpp includes.

include_guard()
find_program(VITRINE_IASL iasl REQUIRED DOC "compiler for ACPI source (Debian: acpica-tools)")

set(acpi_folder ${CMAKE_BINARY_DIR}/generated/machine/boot)
file(GLOB acpi_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/machine/boot/*.asl)
foreach(board isa pc q35)
  string(TOUPPER BOARD_${board} definition)
  set(name ${acpi_folder}/board_${board})
  add_custom_command(
    OUTPUT ${name}.hex
    COMMAND ${CMAKE_COMMAND} -E make_directory ${acpi_folder}
    COMMAND ${CMAKE_CXX_COMPILER} -E -P -undef -x c -D${definition} -o ${name}.asl
            ${CMAKE_SOURCE_DIR}/machine/boot/board.asl
    COMMAND ${VITRINE_IASL} -vs -tc -p ${name} ${name}.asl > ${name}.log
    DEPENDS ${acpi_sources}
    COMMENT "Compiling board.asl for ${board}"
    VERBATIM)
  target_sources(machine_boot PRIVATE ${name}.hex)
  set_source_files_properties(${name}.hex PROPERTIES HEADER_FILE_ONLY ON)
endforeach()
target_include_directories(machine_boot PRIVATE ${CMAKE_BINARY_DIR}/generated)
