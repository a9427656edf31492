#include "observe/life/places.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace vitrine {

namespace {

struct Title {
  std::string_view source, title;
};
constexpr std::array titles = {Title{"pic0", "first 8259"},
                               Title{"pic1", "second 8259"},
                               Title{"pit", "timer"},
                               Title{"rtc", "real-time clock"},
                               Title{"com1", "COM1"},
                               Title{"com2", "COM2"},
                               Title{"com3", "COM3"},
                               Title{"com4", "COM4"},
                               Title{"lpt1", "LPT1"},
                               Title{"lpt2", "LPT2"},
                               Title{"fpu-error", "floating-point unit"},
                               Title{"ioapic0", "I/O APIC"},
                               Title{"hpet", "HPET"},
                               Title{"imcr", "IMCR"},
                               Title{"acpi-pm", "power management"},
                               Title{"system_control_b", "NMI logic"}};
constexpr int mouse_line = 12;

/// Each device numbers its causes itself: pit8254.hpp, i8042.hpp, uart16550.hpp, mc146818.hpp, parallel.hpp,
/// acpi_pm.hpp, system_control_b.hpp.
struct CauseWords {
  std::string_view source;  // or how it begins
  u8 cause;
  std::string_view clause;
};
constexpr std::array cause_words = {
    CauseWords{"pit", 1, "counter 0 has counted down"},
    CauseWords{"pit", 2, "a control word for counter 0 sets its output high"},
    CauseWords{"i8042", 1, "a byte from the keyboard is in its output buffer"},
    CauseWords{"i8042", 2, "the answer to a command is in its output buffer"},
    CauseWords{"i8042", 3, "a byte that the guest itself put into its output buffer waits"},
    CauseWords{"i8042", 4, "a byte from the mouse is in its output buffer"},
    CauseWords{"i8042", 5, "a byte that the guest itself put into its output buffer waits"},
    CauseWords{"com", 1, "its line status reports an error or a break"},
    CauseWords{"com", 2, "received data waits"},
    CauseWords{"com", 3, "received data waits, and no more has come for a while"},
    CauseWords{"com", 4, "it can take more to transmit"},
    CauseWords{"com", 5, "a modem line has changed"},
    CauseWords{"rtc", 1, "the periodic interrupt is due"},
    CauseWords{"rtc", 2, "the alarm's time has come"},
    CauseWords{"rtc", 3, "the time of day has been updated"},
    CauseWords{"lpt", 1, "the printer has taken a byte"},
    CauseWords{"acpi-pm", 1, "the power-management timer has wrapped"},
    CauseWords{"acpi-pm", 2, "the global lock is released"},
    CauseWords{"acpi-pm", 3, "the power button was pressed"},
    CauseWords{"acpi-pm", 4, "the sleep button was pressed"},
    CauseWords{"acpi-pm", 5, "the clock's alarm woke it"},
    CauseWords{"acpi-pm", 6, "a general-purpose event came"},
    CauseWords{"system_control_b", 1, "an adapter reports an error (IOCHK#)"},
    CauseWords{"system_control_b", 2, "the bus reports an error (SERR#)"},
    CauseWords{"system_control_b", 3, "the NMI button was pressed"},
};

/// "f(int, char*)+0x12 (file.cpp:3)" becomes "f+0x12 (file.cpp:3)". What stands before is kept: "operator()(int)",
/// "(anonymous namespace)::f(int)".
std::string without_parameters(const std::string& name) {
  std::size_t end = name.rfind(" (");  // of the name and its offset
  if (end == std::string::npos || name.find(':', end) == std::string::npos || name[end - 1] == ',') end = name.size();
  if (const std::size_t plus = name.rfind("+0x", end); plus != std::string::npos) end = std::min(end, plus);
  std::size_t close = end;
  if (std::string_view(name).substr(0, close).ends_with(" const")) close -= 6;
  if (close == 0 || name[close - 1] != ')') return name;
  int depth = 0;
  for (std::size_t i = close; i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0)
      return i == 0 || name[i - 1] == ' ' ? name : name.substr(0, i) + name.substr(end);
  }
  return name;
}

}  // namespace

std::string device_title(std::string_view source, int line) {
  if (source == "i8042") return line == mouse_line ? "mouse" : "keyboard";
  if (source.starts_with("cpu")) return fmt::format("CPU {}", source.substr(3));
  if (source.starts_with("lapic")) return fmt::format("local APIC of CPU {}", source.substr(5));
  const auto found = std::ranges::find(titles, source, &Title::source);
  return std::string(found != titles.end() ? found->title : source);
}

std::string with_article(const std::string& title) {
  const bool is_chip = title.starts_with("I/O") || title == "HPET" || title == "IMCR";
  const bool is_name = !is_chip && !title.empty() && title.front() >= 'A' && title.front() <= 'Z';
  return is_name ? title : "the " + title;
}

std::string place_of(u16 source, int line, const TraceHeader& header) {
  return source < header.sources.size() ? device_title(header.sources[source], line) : fmt::format("source {}", source);
}

std::string cause_clause(std::string_view source, u64 cause) {
  const auto found = std::ranges::find_if(
      cause_words, [&](const CauseWords& words) { return source.starts_with(words.source) && words.cause == cause; });
  if (found != cause_words.end()) return std::string(found->clause);
  return cause == 0 ? "it has cause to" : fmt::format("it has cause to (its number {})", cause);
}

std::string code_place(u64 address, const Symboliser* symbols) {
  const std::string name = symbols != nullptr ? symbols->describe(address) : std::string();
  return name.empty() ? fmt::format("{:#x}", address) : without_parameters(name);
}

}  // namespace vitrine
