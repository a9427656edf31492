// Pipes: bytes that go from a writer to a reader through a buffer in the kernel.
#pragma once

#include "kernel/fs/file.hpp"

namespace pulse {

struct PipeEnds {
  Ref<File> reader, writer;
};
/// NoMemory.
[[nodiscard]] Result<PipeEnds> make_pipe();

/// Writes of at most so many bytes are not torn (POSIX, PIPE_BUF).
inline constexpr std::size_t pipe_atomic_bytes = 4096;

}  // namespace pulse
