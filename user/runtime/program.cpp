#include "user/runtime/program.hpp"

extern "C" {
void signal_restorer();
user::i64 clone_words(user::u64 flags, void* stack, void* parent_tid, void* child_tid, void* thread_pointer,
                      void (*body)(void*), void* argument);
}

namespace user {

namespace {

std::string_view current_part;

struct ErrorName {
  int number;
  std::string_view name;
};
// asm-generic/errno.h
constexpr ErrorName error_names[] = {
    {1, "EPERM"},      {2, "ENOENT"},      {3, "ESRCH"},         {4, "EINTR"},       {5, "EIO"},        {6, "ENXIO"},
    {7, "E2BIG"},      {8, "ENOEXEC"},     {9, "EBADF"},         {10, "ECHILD"},     {11, "EAGAIN"},    {12, "ENOMEM"},
    {13, "EACCES"},    {14, "EFAULT"},     {16, "EBUSY"},        {17, "EEXIST"},     {18, "EXDEV"},     {19, "ENODEV"},
    {20, "ENOTDIR"},   {21, "EISDIR"},     {22, "EINVAL"},       {23, "ENFILE"},     {24, "EMFILE"},    {25, "ENOTTY"},
    {27, "EFBIG"},     {28, "ENOSPC"},     {29, "ESPIPE"},       {30, "EROFS"},      {31, "EMLINK"},    {32, "EPIPE"},
    {33, "EDOM"},      {34, "ERANGE"},     {36, "ENAMETOOLONG"}, {38, "ENOSYS"},     {39, "ENOTEMPTY"}, {40, "ELOOP"},
    {75, "EOVERFLOW"}, {95, "EOPNOTSUPP"}, {110, "ETIMEDOUT"},   {125, "ECANCELED"},
};

void print_answer(i64 answer) {
  for (const ErrorName& error : error_names) {
    if (answer == -error.number) return print(error.name);
  }
  print_number(answer);
}

void print_label(std::string_view what) {
  print("=> ");
  print(current_part);
  print(": ");
  print(what);
  print(": ");
}

// A line goes out in one piece, so that what children print stands on lines of its own.
struct Line {
  char bytes[512];
  std::size_t size = 0;
} line;

void flush() {
  call(Call::write, 1, line.bytes, line.size);
  line.size = 0;
}

}  // namespace

void print(std::string_view text) {
  for (const char byte : text) {
    line.bytes[line.size++] = byte;
    if (byte == '\n' || line.size == sizeof line.bytes) flush();
  }
}

void print_number(i64 value) {
  char digits[20];
  std::size_t first = sizeof digits;
  u64 left = value < 0 ? 0 - static_cast<u64>(value) : static_cast<u64>(value);
  do {
    digits[--first] = static_cast<char>('0' + left % 10);
    left /= 10;
  } while (left != 0);
  if (value < 0) print("-");
  print({digits + first, sizeof digits - first});
}

void print_hex(u64 value) {
  print("0x");
  for (int shift = 60; shift >= 0; shift -= 4) {
    const char digit = "0123456789abcdef"[value >> shift & 15];
    if (value >> shift != 0 || shift == 0) print({&digit, 1});
  }
}

void begin_part(std::string_view part) { current_part = part; }

void show(std::string_view what, i64 answer) {
  print_label(what);
  print_answer(answer);
  print("\n");
}

void show(std::string_view what, std::string_view answer) {
  print_label(what);
  print(answer);
  print("\n");
}

void end(int status) {
  if (line.size > 0) flush();
  for (;;) call(Call::exit_group, status);
}

u64 number_in(const char* text, u64 otherwise) {
  u64 value = 0;
  if (text == nullptr || *text == 0) return otherwise;
  for (; *text != 0; ++text) {
    if (*text < '0' || *text > '9') return otherwise;
    value = value * 10 + static_cast<u64>(*text - '0');
  }
  return value;
}

i64 handle(u32 number, Handler handler, u64 flags, u64 mask) {
  const abi::SignalAction action{reinterpret_cast<u64>(handler),
                                 flags | abi::signal_flag::restorer | abi::signal_flag::information,
                                 reinterpret_cast<u64>(&signal_restorer), mask};
  return call(Call::rt_sigaction, number, &action, nullptr, sizeof(u64));
}

i64 set_action(u32 number, u64 action) {
  const abi::SignalAction wanted{action, abi::signal_flag::restorer, reinterpret_cast<u64>(&signal_restorer), 0};
  return call(Call::rt_sigaction, number, &wanted, nullptr, sizeof(u64));
}

i64 change_mask(How how, u64 mask) {
  return call(Call::rt_sigprocmask, static_cast<int>(how), &mask, nullptr, sizeof mask);
}

i64 start_child(int (*body)()) {
  const i64 child = call(Call::fork);
  if (child == 0) end(body());
  return child;
}

i64 wait_for(i64 child, int options) {
  i32 status = -1;
  const i64 waited = call(Call::wait4, child, &status, options, nullptr);
  return waited < 0 ? waited : status;
}

i32 in_child(int (*body)()) { return static_cast<i32>(wait_for(start_child(body))); }

i64 start_thread(void (*body)(void*), void* argument, void* stack_top, u32* alive) {
  constexpr u64 flags = clone_flag::memory | clone_flag::location | clone_flag::files | clone_flag::actions |
                        clone_flag::thread | clone_flag::system_v | clone_flag::child_clear_tid;
  *alive = 1;
  return clone_words(flags, stack_top, nullptr, alive, nullptr, body, argument);
}

i64 clone_child(u64 flags, void (*body)(void*), void* stack_top) {
  return clone_words(flags | signal::child, stack_top, nullptr, nullptr, nullptr, body, nullptr);
}

void wait_for_thread(const u32* alive) {
  for (;;) {
    const u32 value = __atomic_load_n(alive, __ATOMIC_ACQUIRE);
    if (value == 0) return;
    call(Call::futex, alive, futex::wait, value, nullptr, nullptr, 0);
  }
}

void sleep_milliseconds(i64 milliseconds) {
  Time left{milliseconds / 1000, milliseconds % 1000 * millisecond};
  while (call(Call::nanosleep, &left, &left) == -4) {
  }
}

i64 now() {
  constexpr int monotonic = 1;
  Time time{};
  call(Call::clock_gettime, monotonic, &time);
  return time.seconds * second + time.nanoseconds;
}

u8* fresh_pages(u64 count, int protection, int flags) {
  return reinterpret_cast<u8*>(call(Call::mmap, nullptr, count * 4096, protection, flags, -1, 0));
}

}  // namespace user
