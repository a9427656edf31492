// A terminal: line discipline, modes, job control (POSIX.1-2017 ch. 11; Linux's termios numbers).
//
// Its driver hands in what was typed and takes out what is to be shown. Pure but for the questions it asks about
// processes, which go through TerminalHost.
#pragma once

#include <array>
#include <optional>

#include "kernel/core/mutex.hpp"
#include "kernel/fs/file.hpp"

namespace pulse {

/// struct termios as TCGETS knows it (asm-generic/termbits.h).
struct TerminalModes {
  u32 input = 0x500;   // ICRNL, IXON
  u32 output = 0x5;    // OPOST, ONLCR
  u32 control = 0xBF;  // 38400 baud, 8 bits, receiver on
  u32 local = 0x8A3B;  // ISIG, ICANON, ECHO, ECHOE, ECHOK, ECHOCTL, ECHOKE, IEXTEN
  u8 discipline = 0;
  u8 characters[19] = {3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0};
};
static_assert(sizeof(TerminalModes) == 36);

struct TerminalSize {
  u16 rows = 25, columns = 80, width = 0, height = 0;
};

/// What a terminal asks of the system around it.
class TerminalHost {
 public:
  /// What is to be shown; in order.
  virtual void show(std::span<const u8> bytes) = 0;
  virtual void signal_group(u32 group, u32 number) = 0;
  /// The process group of whoever reads or writes now; 0: nobody's (the kernel).
  [[nodiscard]] virtual u32 current_group() = 0;
  [[nodiscard]] virtual u32 current_session() = 0;
  /// The session of a process group; 0: there is no such group.
  [[nodiscard]] virtual u32 session_of_group(u32 group) = 0;
  /// The running process may not be stopped for using the terminal in the background: it ignores or blocks this signal.
  [[nodiscard]] virtual bool ignores(u32 signal) = 0;
  [[nodiscard]] virtual Result<void> copy_out(u64 address, const void* from, std::size_t size) = 0;
  [[nodiscard]] virtual Result<void> copy_in(void* to, u64 address, std::size_t size) = 0;
  /// Which virtual console it is, which serial port; nothing if it is no such thing.
  [[nodiscard]] virtual std::optional<u32> screen_number() const { return {}; }
  [[nodiscard]] virtual std::optional<u32> serial_line() const { return {}; }

 protected:
  ~TerminalHost() = default;
};

class Terminal {
 public:
  explicit Terminal(TerminalHost& host) : host_(&host) {}

  /// A byte was typed. From a bottom half, or with interrupts off.
  void input(u8 byte);
  void hang_up();
  /// The leader of its session ended: nobody's terminal any more.
  void leave_session();

  Result<std::size_t> read(IoBuffer& into);
  Result<std::size_t> write(IoBuffer& from);
  Result<u64> control(u32 request, u64 argument);
  [[nodiscard]] u32 ready() const;
  /// Without lines, VMIN and VTIME say how long a read that has got `moved` bytes waits for more (POSIX.1-2017 11.1.7):
  /// File::patience().
  [[nodiscard]] u64 patience(std::size_t moved) const;
  /// A blocked read gets something, or the end.
  [[nodiscard]] bool has_input() const { return available() > 0 || hung_up_; }
  [[nodiscard]] WaitQueue& wait_queue() { return changed_; }

  TerminalModes modes;
  TerminalSize size;
  u32 session = 0, foreground = 0;  ///< 0: none

 private:
  static constexpr std::size_t capacity = 4096;
  enum Special : u8 {
    interrupt = 0,
    quit = 1,
    erase = 2,
    kill = 3,
    end_of_file = 4,
    time = 5,
    least = 6,
    suspend = 10,
    end_of_line = 11,
    reprint = 12,
    word_erase = 14,
    literal = 15,
    end_of_line2 = 16
  };
  [[nodiscard]] bool is(u8 byte, Special special) const { return byte != 0 && modes.characters[special] == byte; }
  [[nodiscard]] bool signals(u8 byte);
  bool edits(u8 byte);
  void drop_input();
  void keep(u8 byte);
  void erase_last();
  void echo(u8 byte);
  void show_processed(u8 byte);
  [[nodiscard]] Result<void> check_background(u32 signal);
  [[nodiscard]] std::size_t available() const;
  struct Taken {
    std::size_t bytes;
    bool more;  ///< of the same line, or without lines
  };
  [[nodiscard]] Taken take(std::span<u8> into);

  TerminalHost* host_;
  WaitQueue changed_;
  Mutex reading_;
  // Bytes [begin, complete) may be read in canonical mode; [complete, end) is the line that is being typed.
  std::array<u8, capacity> bytes_{};
  std::size_t begin_ = 0, complete_ = 0, end_ = 0;  // counts, modulo capacity when used
  std::array<bool, capacity> ends_line_{};          // a read in canonical mode ends behind this byte
  bool literal_next_ = false;
  bool hung_up_ = false;
};

}  // namespace pulse
