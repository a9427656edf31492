# What `make install` puts where.

include(GNUInstallDirs)

if(TARGET vitrine)
  install(TARGETS vitrine RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  # Where `vitrine run` that names no guest finds Pulse (apps/default_guest.cpp).
  install(PROGRAMS $<TARGET_FILE:pulse_kernel> DESTINATION ${CMAKE_INSTALL_DATADIR}/vitrine)
  install(FILES ${CMAKE_BINARY_DIR}/pulse.cpio DESTINATION ${CMAKE_INSTALL_DATADIR}/vitrine OPTIONAL)
endif()
install(FILES README.md ARCHITECTURE.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR} OPTIONAL)
