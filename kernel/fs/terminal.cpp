#include "kernel/fs/terminal.hpp"

#include <algorithm>

#include "abi/linux_signal.hpp"
#include "kernel/core/critical.hpp"

namespace pulse {

namespace {

namespace signal = vitrine::abi::signal;

// asm-generic/termbits.h
namespace input_mode {
constexpr u32 ignore_cr = 0x80, cr_to_nl = 0x100, nl_to_cr = 0x40;
}
namespace output_mode {
constexpr u32 process = 1, nl_to_crnl = 4;
}
namespace local_mode {
constexpr u32 signals = 1, canonical = 2, echo = 8, echo_erase = 0x10, echo_nl = 0x40, no_flush = 0x80,
              stop_writers = 0x100, echo_control = 0x200, extended = 0x8000;
}
// asm-generic/ioctls.h
namespace request {
constexpr u32 get_modes = 0x5401, set_modes = 0x5402, set_modes_drain = 0x5403, set_modes_flush = 0x5404,
              set_controlling = 0x540E, get_group = 0x540F, set_group = 0x5410, type = 0x5412, bytes_waiting = 0x541B,
              get_size = 0x5413, set_size = 0x5414, flush = 0x540B, detach = 0x5422, get_session = 0x5429,
              drain = 0x5409, serial_information = 0x541E, screen_state = 0x5603;
}

constexpr u8 del = 0x7F;
bool is_control(u8 byte) { return byte < 0x20 || byte == del; }
bool is_blank(u8 byte) { return byte == ' ' || byte == '\t'; }

}  // namespace

bool Terminal::signals(u8 byte) {
  if ((modes.local & local_mode::signals) == 0) return false;
  const u32 number = is(byte, interrupt) ? signal::interrupt
                     : is(byte, quit)    ? signal::quit
                     : is(byte, suspend) ? signal::terminal_stop
                                         : 0;
  if (number == 0) return false;
  if ((modes.local & local_mode::no_flush) == 0) drop_input();
  echo(byte);
  if (foreground != 0) host_->signal_group(foreground, number);
  changed_.wake(ready::all);
  return true;
}

void Terminal::show_processed(u8 byte) {
  const bool processes = (modes.output & output_mode::process) != 0;
  if (processes && byte == '\n' && (modes.output & output_mode::nl_to_crnl) != 0) {
    const u8 both[] = {'\r', '\n'};
    host_->show(both);
  } else {
    host_->show({&byte, 1});
  }
}

void Terminal::echo(u8 byte) {
  if ((modes.local & local_mode::echo) == 0) {
    if (byte == '\n' && (modes.local & local_mode::echo_nl) != 0) show_processed(byte);
    return;
  }
  if (is_control(byte) && byte != '\n' && byte != '\t' && (modes.local & local_mode::echo_control) != 0) {
    const u8 both[] = {'^', static_cast<u8>(byte ^ 0x40)};
    host_->show(both);
  } else {
    show_processed(byte);
  }
}

void Terminal::erase_last() {
  const u8 byte = bytes_[--end_ % capacity];
  if ((modes.local & (local_mode::echo | local_mode::echo_erase)) != (local_mode::echo | local_mode::echo_erase))
    return;
  const int width = is_control(byte) && byte != '\t' && (modes.local & local_mode::echo_control) != 0 ? 2 : 1;
  const u8 back[] = {'\b', ' ', '\b'};
  for (int i = 0; i < width; ++i) host_->show(back);
}

bool Terminal::edits(u8 byte) {
  if (is(byte, erase)) {
    if (end_ > complete_) erase_last();
    return true;
  }
  if (is(byte, kill)) {
    while (end_ > complete_) erase_last();
    return true;
  }
  if ((modes.local & local_mode::extended) == 0) return false;
  if (is(byte, word_erase)) {
    while (end_ > complete_ && is_blank(bytes_[(end_ - 1) % capacity])) erase_last();
    while (end_ > complete_ && !is_blank(bytes_[(end_ - 1) % capacity])) erase_last();
    return true;
  }
  if (is(byte, literal)) {
    literal_next_ = true;
    return true;
  }
  return false;
}

void Terminal::drop_input() {
  const Critical critical;
  begin_ = complete_ = end_;
}

void Terminal::keep(u8 byte) {
  if (end_ - begin_ >= capacity) return;
  bytes_[end_ % capacity] = byte;
  ends_line_[end_ % capacity] = false;
  ++end_;
}

void Terminal::input(u8 byte) {
  const bool canonical = (modes.local & local_mode::canonical) != 0;
  if (!literal_next_) {
    if (byte == '\r' && (modes.input & input_mode::ignore_cr) != 0) return;
    if (byte == '\r' && (modes.input & input_mode::cr_to_nl) != 0) {
      byte = '\n';
    } else if (byte == '\n' && (modes.input & input_mode::nl_to_cr) != 0) {
      byte = '\r';
    }
    if (signals(byte)) return;
    if (canonical && edits(byte)) return;
  }
  const bool taken_literally = literal_next_;
  literal_next_ = false;
  const bool is_end = canonical && !taken_literally && is(byte, end_of_file);
  const bool ends_line =
      canonical && !taken_literally && (byte == '\n' || is(byte, end_of_line) || is(byte, end_of_line2));
  // A full buffer still takes what ends the line, or nobody could ever read it.
  if (canonical && !ends_line && !is_end && end_ - begin_ >= capacity - 1) return;
  if (is_end) {
    keep(0);  // a mark that no read shows
  } else {
    keep(byte);
    echo(byte);
  }
  if (canonical && !ends_line && !is_end) return;
  if (canonical) ends_line_[(end_ - 1) % capacity] = true;
  complete_ = end_;
  changed_.wake(ready::in);
}

void Terminal::hang_up() {
  hung_up_ = true;
  if (session != 0) host_->signal_group(session, signal::hang_up);
  changed_.wake(ready::all);
}

void Terminal::leave_session() {
  if (foreground != 0) {
    host_->signal_group(foreground, signal::hang_up);
    host_->signal_group(foreground, signal::resume);
  }
  session = foreground = 0;
}

std::size_t Terminal::available() const {
  return ((modes.local & local_mode::canonical) != 0 ? complete_ : end_) - begin_;
}

Result<void> Terminal::check_background(u32 number) {
  const u32 group = host_->current_group();
  const bool is_background =
      foreground != 0 && group != 0 && group != foreground && host_->current_session() == session;
  if (!is_background) return {};
  if (host_->ignores(number)) return number == signal::terminal_input ? fail(Errno::InputOutput) : Result<void>();
  host_->signal_group(group, number);
  return fail(Errno::RestartAlways);
}

Result<std::size_t> Terminal::read(IoBuffer& into) {
  if (const auto allowed = check_background(signal::terminal_input); !allowed) return fail(allowed.error());
  if (into.remaining() == 0) return 0;
  // A line that is longer than a piece goes to one reader all the same.
  const Mutex::Hold hold(reading_);
  const bool canonical = (modes.local & local_mode::canonical) != 0;
  if (available() == 0) {
    if (hung_up_ || (!canonical && modes.characters[least] == 0 && modes.characters[time] == 0)) return 0;
    return fail(Errno::TryAgain);
  }
  // Taken before it is told, as by Linux: what a bad address gets is lost.
  std::size_t moved = 0;
  for (bool more = true; more && into.remaining() > 0;) {
    u8 piece[64];
    const std::size_t wanted = std::min(into.remaining(), sizeof piece);
    const Taken taken = take({piece, wanted});
    more = taken.more;
    const std::size_t told = into.put_some({piece, taken.bytes});
    moved += told;
    if (told < taken.bytes) return moved_or(moved, Errno::BadAddress);
  }
  return moved;
}

/// The next bytes, up to the end of a line.
Terminal::Taken Terminal::take(std::span<u8> into) {
  const Critical critical;  // input() may just end a line, or drop it
  const bool canonical = (modes.local & local_mode::canonical) != 0;
  std::size_t count = 0;
  bool ends = false;
  while (!ends && count < into.size() && available() > 0) {
    const std::size_t place = begin_++ % capacity;
    ends = canonical && ends_line_[place];
    const bool is_mark = ends && bytes_[place] == 0;
    if (!is_mark) into[count++] = bytes_[place];
  }
  complete_ = std::max(complete_, begin_);
  return {count, !ends && available() > 0};
}

Result<std::size_t> Terminal::write(IoBuffer& from) {
  if ((modes.local & local_mode::stop_writers) != 0) {
    if (const auto allowed = check_background(signal::terminal_output); !allowed) return fail(allowed.error());
  }
  if (hung_up_) return fail(Errno::InputOutput);
  const std::size_t all = from.remaining();
  u8 piece[128];
  while (from.remaining() > 0) {
    const std::size_t count = std::min(from.remaining(), sizeof piece);
    if (const auto done = from.get({piece, count}); !done) {
      return from.remaining() < all ? Result<std::size_t>(all - from.remaining()) : fail(done.error());
    }
    for (std::size_t i = 0; i < count; ++i) show_processed(piece[i]);
  }
  return all;
}

u64 Terminal::patience(std::size_t moved) const {
  constexpr u64 tenth_of_second = 100'000'000;
  const bool canonical = (modes.local & local_mode::canonical) != 0;
  const std::size_t enough = canonical ? 1 : modes.characters[least];
  const u64 timer = canonical ? 0 : modes.characters[time] * tenth_of_second;
  if (moved >= std::max<std::size_t>(enough, 1)) return 0;
  if (moved == 0) return enough == 0 ? timer : File::forever;
  return timer == 0 ? File::forever : timer;  // from byte to byte
}

u32 Terminal::ready() const {
  const bool canonical = (modes.local & local_mode::canonical) != 0;
  // A read that a timer ends may end with one byte.
  const bool waits_for_all = !canonical && modes.characters[time] == 0;
  const std::size_t enough = waits_for_all ? std::max<std::size_t>(modes.characters[least], 1) : 1;
  return ready::out | ready::write_normal | (available() >= enough ? ready::in | ready::read_normal : 0) |
         (hung_up_ ? ready::hang_up | ready::in : 0);
}

Result<u64> Terminal::control(u32 number, u64 argument) {
  const auto get = [&](const auto& value) -> Result<u64> {
    const auto done = host_->copy_out(argument, &value, sizeof value);
    return done ? Result<u64>(0) : fail(done.error());
  };
  const auto set = [&](auto& value) -> Result<u64> {
    auto wanted = value;
    const auto done = host_->copy_in(&wanted, argument, sizeof wanted);
    if (done) value = wanted;
    return done ? Result<u64>(0) : fail(done.error());
  };
  const bool is_ours = session != 0 && host_->current_session() == session;
  switch (number) {
    case request::get_modes:
      return get(modes);
    case request::set_modes:
    case request::set_modes_drain:
    case request::set_modes_flush: {
      if (const auto allowed = check_background(signal::terminal_output); !allowed) return fail(allowed.error());
      if (number == request::set_modes_flush) drop_input();
      const auto result = set(modes);
      // What was typed as a line in the making is there for whoever reads without lines, and the other way round.
      if (result && (modes.local & local_mode::canonical) == 0) complete_ = end_;
      changed_.wake(ready::in);
      return result;
    }
    case request::get_size:
      return get(size);
    case request::set_size: {
      const auto result = set(size);
      if (result && foreground != 0) host_->signal_group(foreground, signal::window_change);
      return result;
    }
    case request::set_controlling:
      if (session != 0 && !is_ours && argument != 1) return fail(Errno::PermissionDenied);
      session = host_->current_session();
      foreground = host_->current_group();
      return 0;
    case request::detach:
      if (!is_ours) return fail(Errno::NotTerminal);
      session = foreground = 0;
      return 0;
    case request::serial_information: {
      struct {
        i32 type = 4;  // PORT_16550A
        i32 line = 0;
        i32 others[16] = {};
      } serial;
      if (!host_->serial_line()) return fail(Errno::NotTerminal);
      serial.line = static_cast<i32>(*host_->serial_line());
      return get(serial);
    }
    case request::screen_state: {
      if (!host_->screen_number()) return fail(Errno::NotTerminal);
      const u16 active = static_cast<u16>(*host_->screen_number());
      const u16 state[3] = {active, 0, static_cast<u16>(1u << active)};
      return get(state);
    }
    case request::get_group:
      return is_ours ? get(foreground) : fail(Errno::NotTerminal);
    case request::set_group: {
      if (!is_ours) return fail(Errno::NotTerminal);
      if (const auto allowed = check_background(signal::terminal_output); !allowed) return fail(allowed.error());
      u32 group = foreground;
      if (const auto given = set(group); !given) return given;
      if (static_cast<i32>(group) < 0) return fail(Errno::Invalid);
      const u32 its_session = host_->session_of_group(group);
      if (its_session != session) return fail(its_session == 0 ? Errno::NoProcess : Errno::PermissionDenied);
      foreground = group;
      return 0;
    }
    case request::get_session:
      return is_ours ? get(session) : fail(Errno::NotTerminal);
    case request::bytes_waiting:
      return get(static_cast<u32>(available()));
    case request::type: {
      u8 byte = 0;
      if (const auto done = host_->copy_in(&byte, argument, sizeof byte); !done) return fail(done.error());
      input(byte);
      return 0;
    }
    case request::drain:  // what was written is shown already
      return 0;
    case request::flush:
      drop_input();
      return 0;
    default:
      return fail(Errno::NotTerminal);
  }
}

}  // namespace pulse
