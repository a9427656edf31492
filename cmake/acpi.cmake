# The DSDT: machine/boot/board.asl through iasl (Debian: acpica-tools) into a C array that acpi_tables.cpp includes.

include_guard()
find_program(VITRINE_IASL iasl REQUIRED DOC "compiler for ACPI source (Debian: acpica-tools)")

set(acpi_folder ${CMAKE_BINARY_DIR}/generated/machine/boot)
add_custom_command(
  OUTPUT ${acpi_folder}/board_dsdt.hex
  COMMAND ${CMAKE_COMMAND} -E make_directory ${acpi_folder}
  COMMAND ${VITRINE_IASL} -vs -tc -p ${acpi_folder}/board_dsdt ${CMAKE_SOURCE_DIR}/machine/boot/board.asl
          > ${acpi_folder}/board_dsdt.log
  DEPENDS ${CMAKE_SOURCE_DIR}/machine/boot/board.asl
  COMMENT "Compiling board.asl"
  VERBATIM)
target_sources(machine_boot PRIVATE ${acpi_folder}/board_dsdt.hex)
set_source_files_properties(${acpi_folder}/board_dsdt.hex PROPERTIES HEADER_FILE_ONLY ON)
target_include_directories(machine_boot PRIVATE ${CMAKE_BINARY_DIR}/generated)
