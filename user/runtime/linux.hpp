// Linux as a program meets it: the numbers and layouts of its ABI for x86-64, and a system call.
//
// No C library: a test sees exactly what the kernel returns, the build needs no static libc, and nothing but the kernel
// under test runs between two calls. Names are the kernel's own (asm/unistd_64.h and the headers named below).
#pragma once

#include <cstddef>
#include <type_traits>

#include "abi/linux_signal.hpp"
#include "base/types.hpp"

namespace user {

using namespace vitrine;

// asm/unistd_64.h
enum class Call : i64 {
  read = 0,
  write = 1,
  open = 2,
  close = 3,
  stat = 4,
  fstat = 5,
  lstat = 6,
  poll = 7,
  lseek = 8,
  mmap = 9,
  mprotect = 10,
  munmap = 11,
  brk = 12,
  rt_sigaction = 13,
  rt_sigprocmask = 14,
  rt_sigreturn = 15,
  ioctl = 16,
  pread64 = 17,
  pwrite64 = 18,
  readv = 19,
  writev = 20,
  access = 21,
  pipe = 22,
  select = 23,
  sched_yield = 24,
  madvise = 28,
  dup = 32,
  dup2 = 33,
  pause = 34,
  nanosleep = 35,
  getpid = 39,
  sendfile = 40,
  clone = 56,
  fork = 57,
  vfork = 58,
  execve = 59,
  exit = 60,
  wait4 = 61,
  kill = 62,
  uname = 63,
  fcntl = 72,
  fsync = 74,
  truncate = 76,
  ftruncate = 77,
  getcwd = 79,
  chdir = 80,
  rename = 82,
  mkdir = 83,
  rmdir = 84,
  link = 86,
  unlink = 87,
  symlink = 88,
  readlink = 89,
  chmod = 90,
  chown = 92,
  umask = 95,
  gettimeofday = 96,
  getrlimit = 97,
  sysinfo = 99,
  times = 100,
  syslog = 103,
  getuid = 102,
  getgid = 104,
  setuid = 105,
  setgid = 106,
  geteuid = 107,
  getegid = 108,
  setpgid = 109,
  getppid = 110,
  getpgrp = 111,
  setsid = 112,
  setreuid = 113,
  setregid = 114,
  getgroups = 115,
  setgroups = 116,
  setresuid = 117,
  getresuid = 118,
  setresgid = 119,
  getpgid = 121,
  getsid = 124,
  rt_sigpending = 127,
  rt_sigtimedwait = 128,
  rt_sigsuspend = 130,
  sigaltstack = 131,
  mknod = 133,
  getpriority = 140,
  setpriority = 141,
  arch_prctl = 158,
  setrlimit = 160,
  settimeofday = 164,
  mount = 165,
  umount2 = 166,
  reboot = 169,
  gettid = 186,
  tkill = 200,
  time = 201,
  futex = 202,
  sched_setaffinity = 203,
  epoll_create = 213,
  getdents64 = 217,
  set_tid_address = 218,
  clock_settime = 227,
  clock_gettime = 228,
  clock_getres = 229,
  clock_nanosleep = 230,
  exit_group = 231,
  epoll_wait = 232,
  epoll_ctl = 233,
  tgkill = 234,
  openat = 257,
  mkdirat = 258,
  newfstatat = 262,
  unlinkat = 263,
  pselect6 = 270,
  ppoll = 271,
  set_robust_list = 273,
  epoll_pwait = 281,
  timerfd_create = 283,
  fallocate = 285,
  timerfd_settime = 286,
  timerfd_gettime = 287,
  signalfd4 = 289,
  eventfd2 = 290,
  epoll_create1 = 291,
  dup3 = 292,
  pipe2 = 293,
  prlimit64 = 302,
  getrandom = 318,
  epoll_pwait2 = 441,
};

inline i64 call_words(i64 number, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f) {
  register i64 r10 asm("r10") = d;
  register i64 r8 asm("r8") = e;
  register i64 r9 asm("r9") = f;
  i64 result = number;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

template <class T>
i64 word(T value) {
  if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<i64>(value);
  } else if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else {
    return static_cast<i64>(value);
  }
}

/// The kernel's answer as it is: an error is its number, negated.
template <class... Words>
i64 call(Call number, Words... words) {
  static_assert(sizeof...(words) <= 6);
  const i64 all[6] = {word(words)...};
  return call_words(static_cast<i64>(number), all[0], all[1], all[2], all[3], all[4], all[5]);
}

/// An address that no program has (the kernel's half), one that nothing is mapped at, and one that is no address at
/// all.
inline u8* const kernel_address = reinterpret_cast<u8*>(0xFFFF'8000'0000'0000);
inline u8* const unmapped_address = reinterpret_cast<u8*>(0x1000);
inline u8* const non_canonical_address = reinterpret_cast<u8*>(0x8000'0000'0000'0000);

// asm-generic/fcntl.h
namespace open_flag {
inline constexpr int write_only = 1, read_write = 2, create = 0100, exclusive = 0200, truncate = 01000, append = 02000,
                     no_terminal = 0400, non_blocking = 04000, directory = 0200000, no_follow = 0400000,
                     close_on_exec = 02000000;
}
inline constexpr int at_current = -100;

// linux/fcntl.h
namespace control {
inline constexpr int duplicate = 0, get_descriptor_flags = 1, set_descriptor_flags = 2, get_flags = 3, set_flags = 4,
                     duplicate_close_on_exec = 1030;
}

// asm/stat.h
struct Status {
  u64 device, number, links;
  u32 mode, user, group, padding;
  u64 special_device;
  i64 size, block_size, blocks;
  u64 times[6];
  i64 unused[3];
};

struct Piece {  // struct iovec
  const void* address;
  u64 size;
};

struct Time {  // struct timespec
  i64 seconds, nanoseconds;
};
inline constexpr i64 millisecond = 1'000'000, second = 1'000'000'000;

// asm-generic/mman-common.h
namespace map {
inline constexpr int read = 1, write = 2, execute = 4, shared = 1, is_private = 2, fixed = 0x10, anonymous = 0x20,
                     fixed_no_replace = 0x100000;
}

// asm-generic/poll.h, sys/epoll.h
struct PollEntry {
  i32 file;
  u16 wanted, found;
};
namespace ready {
inline constexpr u32 in = 1, priority = 2, out = 4, error = 8, hang_up = 16, invalid = 32, read_hang_up = 0x2000;
}
struct [[gnu::packed]] EpollEvent {
  u32 events;
  u64 data;
};
namespace epoll {
inline constexpr int add = 1, remove = 2, change = 3;
inline constexpr u32 exclusive = 1u << 28, one_shot = 1u << 30, edge = 1u << 31;
}  // namespace epoll

struct TimerSetting {  // struct itimerspec
  Time period, value;
};

// linux/sched.h
namespace clone_flag {
inline constexpr u64 memory = 0x100, location = 0x200, files = 0x400, actions = 0x800, fork_and_wait = 0x4000,
                     thread = 0x10000, system_v = 0x40000, thread_pointer = 0x80000, parent_tid = 0x100000,
                     child_clear_tid = 0x200000, child_set_tid = 0x1000000;
}
// linux/futex.h
namespace futex {
inline constexpr int wait = 0, wake = 1, requeue = 3, compare_requeue = 4, wait_bits = 9, wake_bits = 10,
                     is_private = 128;
}
// linux/wait.h
namespace wait_option {
inline constexpr int no_hang = 1, untraced = 2, continued = 8;
}

namespace signal = vitrine::abi::signal;

}  // namespace user
