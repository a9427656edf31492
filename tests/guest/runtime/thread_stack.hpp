// A thread that two CPUs share, for images about schedulers: the first one runs it and publishes its stack pointer, the
// second one goes on with it. Both are macros, so that what is said of them names the image's line.
#pragma once

#include "tests/guest/runtime/io_apic.hpp"
#include "tests/guest/runtime/register_names.hpp"
#include "tests/guest/runtime/second_cpu.hpp"

namespace thread {

inline word stack[4096];
inline volatile word saved;  ///< its stack pointer
inline volatile u32 published, taken;

}  // namespace thread

/// Waits until the thread is published, runs on its stack, and leaves it.
#define TAKE_THREAD()                                     \
  do {                                                    \
    while (thread::published == 0) asm volatile("pause"); \
    asm volatile("mov " SP ", " BX                        \
                 "\n\t"                                   \
                 "mov %[saved], " SP                      \
                 "\n\t"                                   \
                 "push $0\n\t"                            \
                 "pop " AX                                \
                 "\n\t"                                   \
                 "mov " BX ", " SP                        \
                 "\n\t"                                   \
                 "movl $1, %[taken]"                      \
                 : [taken] "=m"(thread::taken)            \
                 : [saved] "m"(thread::saved)             \
                 : AX_BX_CLOBBERED, "memory");            \
  } while (false)

/// Steps of RUN_THREAD: back to the scheduler's stack; tell the second CPU, and wait until it has been there.
#define LEAVE_STACK "mov " BX ", " SP "\n\t"
#define PUBLISH_THREAD      \
  "movl $1, %[published]\n" \
  "2: pause\n\t"            \
  "cmpl $0, %[taken]\n\t"   \
  "je 2b\n\t"

/// Runs on the thread's stack, which ends at `top`, saves its pointer, and does both steps.
#define RUN_THREAD(top, first, second)                                                \
  asm volatile("mov " SP ", " BX                                                      \
               "\n\t"                                                                 \
               "mov %[stack], " SP                                                    \
               "\n\t"                                                                 \
               "push $1f\n\t"                                                         \
               "mov " SP ", %[saved]\n\t" first second "1:"                           \
               : [saved] "=m"(thread::saved), [published] "=m"(thread::published)     \
               : [stack] "r"(reinterpret_cast<word>(top)), [taken] "m"(thread::taken) \
               : AX_BX_CLOBBERED, "memory")
