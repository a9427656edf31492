// A program's memory when the kernel's pure code runs on the host: the test's own.
#include <cstring>

#include "kernel/core/types.hpp"

extern "C" pulse::u64 user_copy(void* to, const void* from, std::size_t size) {
  std::memcpy(to, from, size);
  return 0;
}
