#include "kernel/core/log.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/uart16550.hpp"

namespace pulse {

namespace {

constexpr std::size_t ring_bytes = log_bytes;
char ring[ring_bytes];
u64 written = 0;  // ever
u64 oldest = 0;   // the first line that is whole
Console* consoles = nullptr;
LogLevel shown = LogLevel::Info;

void keep(std::string_view text) {
  for (const char character : text) ring[written++ % ring_bytes] = character;
  if (written - oldest <= ring_bytes) return;
  oldest = written - ring_bytes;
  while (oldest < written && ring[oldest++ % ring_bytes] != '\n') {
  }
}

}  // namespace

LogRange log_range() { return {oldest, written}; }
char log_byte(u64 at) { return ring[at % ring_bytes]; }

void add_console(Console& console) {
  const InterruptsOff off;
  constexpr u64 prefix = 3;  // "<6>"
  for (u64 at = oldest; at < written;) {
    const bool is_shown = ring[(at + 1) % ring_bytes] - '0' <= static_cast<int>(shown);
    at += prefix;
    do {
      if (is_shown) console.write({&ring[at % ring_bytes], 1});
    } while (ring[at++ % ring_bytes] != '\n');
  }
  console.next = consoles;
  consoles = &console;
}

LogLevel console_level() { return shown; }
void set_console_level(LogLevel level) { shown = level; }

void write_consoles(std::string_view text) {
  if (consoles == nullptr) serial_port().write(text);  // last words before the parameters are known
  for (Console* console = consoles; console != nullptr; console = console->next) console->write(text);
}

void write_log_line(LogLevel level, std::string_view text, std::span<const FormatArgument> arguments) {
  char buffer[256];
  BufferSink line({buffer, sizeof buffer - 1});
  format(line, "<{}>", static_cast<u8>(level));
  const std::size_t prefix = line.text().size();
  const u64 now = nanoseconds_since_boot();
  format(line, "[{:5}.{:06}] ", now / 1'000'000'000, now % 1'000'000'000 / 1000);
  format_arguments(line, text, arguments);
  std::size_t length = line.text().size();
  buffer[length++] = '\n';
  const std::string_view whole(buffer, length);
  const InterruptsOff off;
  keep(whole);
  if (level <= shown) write_consoles(whole.substr(prefix));
}

}  // namespace pulse
