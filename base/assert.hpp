// Broken invariants of ours. A guest can never make one fail; it stays on in every build we test.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace vitrine {

[[noreturn]] inline void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "vitrine: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace vitrine

#define VITRINE_ASSERT(condition) ((condition) ? void(0) : ::vitrine::assertion_failed(#condition, __FILE__, __LINE__))
