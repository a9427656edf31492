// What our programs stand on: printing, signals, threads, processes. Each program defines main_program().
#pragma once

#include <string_view>

#include "user/runtime/linux.hpp"

/// The status that the program ends with.
int main_program(int count, char** arguments, char** environment);

namespace user {

void print(std::string_view text);
void print_number(i64 value);
void print_hex(u64 value);

/// One line of output: what was asked, and the kernel's answer. Errors go by their names: "EBADF".
void show(std::string_view what, i64 answer);
/// One line of output, two parts of text.
void show(std::string_view what, std::string_view answer);
/// What follows on the lines of show().
void begin_part(std::string_view part);
[[noreturn]] void end(int status);

/// The number in `text`, decimal; `otherwise` if there is none.
u64 number_in(const char* text, u64 otherwise);

using Handler = void (*)(int number, abi::SignalInformation* information, abi::UserContext* context);
/// rt_sigaction(2) with our restorer.
i64 handle(u32 number, Handler handler, u64 flags = 0, u64 mask = 0);
i64 set_action(u32 number, u64 action);
[[nodiscard]] constexpr u64 signal_bit(u32 number) { return u64{1} << (number - 1); }
enum class How : u8 { Block = 0, Unblock = 1, Set = 2 };
i64 change_mask(How how, u64 mask);

/// Runs `body` in a child process that ends with its result; the status that wait4(2) tells.
i32 in_child(int (*body)());
/// The child's process id. In the child, ends with body's result.
i64 start_child(int (*body)());
/// The status of one child; the error, negated, if there is none.
i64 wait_for(i64 child, int options = 0);

/// A thread by clone(2): memory, files and signals are shared. `stack_top` is its own. `alive` becomes 0, and is woken
/// as a futex, when it ends. Its number.
i64 start_thread(void (*body)(void*), void* argument, void* stack_top, u32* alive);
/// A child by clone(2) that runs `body` on a stack of its own.
i64 clone_child(u64 flags, void (*body)(void*), void* stack_top);
void wait_for_thread(const u32* alive);

/// Microseconds are enough for what tests sleep.
void sleep_milliseconds(i64 milliseconds);
/// Nanoseconds of the monotonic clock.
i64 now();

/// Pages that nobody has used.
u8* fresh_pages(u64 count, int protection = map::read | map::write, int flags = map::is_private | map::anonymous);

}  // namespace user
