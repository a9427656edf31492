// Pipes: bytes that go from writers to readers through a buffer in the kernel; those without a name, and FIFOs.
#pragma once

#include "kernel/fs/file.hpp"

namespace pulse {

struct PipeEnds {
  Ref<File> reader, writer;
};
/// NoMemory.
[[nodiscard]] Result<PipeEnds> make_pipe();

/// Opens a FIFO (fifo(7)). What was written and not read is kept as long as somebody has it open. With
/// O_NONBLOCK, NoDevice6 for a writer where nobody reads. Without, the caller waits until is_connected().
[[nodiscard]] Result<Ref<File>> open_fifo(Node& node, u32 flags);

/// Writes of at most so many bytes are not torn (POSIX, PIPE_BUF).
inline constexpr std::size_t pipe_atomic_bytes = 4096;

}  // namespace pulse
