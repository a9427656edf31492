// What must hold whatever users and devices do. In the kernel a panic; in the host's tests an abort.
#pragma once

namespace pulse {

[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace pulse

#define PULSE_ASSERT(condition) ((condition) ? void(0) : ::pulse::assertion_failed(#condition, __FILE__, __LINE__))
