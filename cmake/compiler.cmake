# What holds for every file that we compile, whatever room it is in.

include_guard()

# ccache, where it is there. Its sloppiness is what it asks for to cache files that use precompiled headers.
find_program(VITRINE_CCACHE ccache)
if(VITRINE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${VITRINE_CCACHE})
endif()

if(VITRINE_SANITIZE)
  add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # The CPU's handlers use preserve_none, which clang 19 can't combine with the variable frames that ASan likes to make.
  add_compile_options("SHELL:-mllvm -asan-stack-dynamic-alloca=0")
  add_link_options(-fsanitize=address,undefined)
endif()
