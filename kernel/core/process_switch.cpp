#include "kernel/core/process_switch.hpp"

#include "kernel/core/scheduler.hpp"

namespace pulse {

void switch_program(Thread&, Thread&) {}

bool wait_is_interrupted() { return false; }

}  // namespace pulse
