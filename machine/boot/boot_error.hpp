// Why a guest image can't be put into memory, for people: one sentence that says what is wrong, where, what to do.
#pragma once

#include <string>

#include "base/types.hpp"

namespace vitrine {

enum class BootErrorKind : u8 {
  Empty,               ///< the file has no bytes
  NotAGuest,           ///< no format that we know
  WrongMachine,        ///< a program or kernel for another kind of CPU
  NeedsFirmware,       ///< a disk or CD image, or a boot sector: starts through firmware only
  Truncated,           ///< its headers name bytes beyond the end of the file
  Malformed,           ///< its headers contradict themselves
  Unsupported,         ///< well formed, asks for something that this loader doesn't have
  DoesNotFit,          ///< needs memory that the machine doesn't have
  CommandLineTooLong,  ///< longer than the guest's own limit
};

/// All kinds are status 65 of the command: not a guest that we can run here.
struct BootError {
  BootErrorKind kind = BootErrorKind::NotAGuest;
  /// Begins with the file's name; no newline, no final full stop.
  std::string message;
};

}  // namespace vitrine
