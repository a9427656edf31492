// What a call of the kernel gives back: a value, or an error number of Linux.
#pragma once

#include <expected>

#include "abi/linux_errno.hpp"
#include "kernel/core/types.hpp"

namespace pulse {

using vitrine::abi::Errno;
template <class T>
using Result = std::expected<T, Errno>;
[[nodiscard]] inline std::unexpected<Errno> fail(Errno error) { return std::unexpected(error); }

}  // namespace pulse
