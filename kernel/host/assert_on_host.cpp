// The kernel's assertions when its pure code runs on the host.
#include <cstdio>
#include <cstdlib>

#include "kernel/core/assert.hpp"

namespace pulse {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace pulse
