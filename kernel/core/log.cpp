#include "kernel/core/log.hpp"

#include "kernel/arch/x86_64/cpu.hpp"
#include "kernel/core/kernel.hpp"
#include "kernel/core/time.hpp"
#include "kernel/drivers/uart16550.hpp"

namespace pulse {

namespace {

constexpr std::size_t ring_bytes = 16 * 1024;
char ring[ring_bytes];
std::size_t written = 0;  // ever
Console* consoles = nullptr;
LogLevel console_level = LogLevel::Info;

void keep(std::string_view text) {
  for (const char character : text) ring[written++ % ring_bytes] = character;
}

}  // namespace

void add_console(Console& console) {
  const InterruptsOff off;
  const std::size_t begin = written > ring_bytes ? written - ring_bytes : 0;
  for (std::size_t i = begin; i < written; ++i) console.write({&ring[i % ring_bytes], 1});
  console.next = consoles;
  consoles = &console;
}

void set_console_level(LogLevel level) { console_level = level; }

void write_consoles(std::string_view text) {
  if (consoles == nullptr) serial_port().write(text);  // last words before the parameters are known
  for (Console* console = consoles; console != nullptr; console = console->next) console->write(text);
}

void write_log_line(LogLevel level, std::string_view text, std::span<const FormatArgument> arguments) {
  char buffer[256];
  BufferSink line({buffer, sizeof buffer - 1});
  const u64 now = nanoseconds_since_boot();
  format(line, "[{:5}.{:06}] ", now / 1'000'000'000, now % 1'000'000'000 / 1000);
  format_arguments(line, text, arguments);
  std::size_t length = line.text().size();
  buffer[length++] = '\n';
  const std::string_view whole(buffer, length);
  const InterruptsOff off;
  keep(whole);
  if (level <= console_level) write_consoles(whole);
}

}  // namespace pulse
