// Error numbers of Linux on x86 (asm-generic/errno.h): system calls return them negated.
#pragma once

#include "base/types.hpp"

namespace vitrine::abi {

enum class Errno : u16 {
  PermissionDenied = 1,       // EPERM
  NoEntry = 2,                // ENOENT
  NoProcess = 3,              // ESRCH
  Interrupted = 4,            // EINTR
  InputOutput = 5,            // EIO
  NoDevice6 = 6,              // ENXIO
  TooLongArguments = 7,       // E2BIG
  NotExecutable = 8,          // ENOEXEC
  BadFile = 9,                // EBADF
  NoChild = 10,               // ECHILD
  TryAgain = 11,              // EAGAIN
  NoMemory = 12,              // ENOMEM
  AccessDenied = 13,          // EACCES
  BadAddress = 14,            // EFAULT
  NotBlockDevice = 15,        // ENOTBLK
  Busy = 16,                  // EBUSY
  Exists = 17,                // EEXIST
  CrossDevice = 18,           // EXDEV
  NoDevice = 19,              // ENODEV
  NotDirectory = 20,          // ENOTDIR
  IsDirectory = 21,           // EISDIR
  Invalid = 22,               // EINVAL
  TooManyFilesInSystem = 23,  // ENFILE
  TooManyFiles = 24,          // EMFILE
  NotTerminal = 25,           // ENOTTY
  FileTooBig = 27,            // EFBIG
  NoSpace = 28,               // ENOSPC
  IllegalSeek = 29,           // ESPIPE
  ReadOnly = 30,              // EROFS
  TooManyLinks = 31,          // EMLINK
  BrokenPipe = 32,            // EPIPE
  OutOfDomain = 33,           // EDOM
  OutOfRange = 34,            // ERANGE
  NameTooLong = 36,           // ENAMETOOLONG
  NotImplemented = 38,        // ENOSYS
  NotEmpty = 39,              // ENOTEMPTY
  Loop = 40,                  // ELOOP
  NotSupported = 95,          // EOPNOTSUPP
  NoAddressFamily = 97,       // EAFNOSUPPORT
  TimedOut = 110,             // ETIMEDOUT
  // Of the kernel's own; a program never sees them (Linux has the same, include/linux/errno.h).
  RestartAlways = 512,     // ERESTARTSYS: restarted if the handler says SA_RESTART
  RestartNoHandler = 514,  // ERESTARTNOHAND: restarted only if no handler ran
};

}  // namespace vitrine::abi
