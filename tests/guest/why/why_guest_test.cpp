// Each kernel here loses an interrupt for one reason. `vitrine why` on its trace, and `vitrine run` by itself when the
// run ends, must give that reason with the file and line of the kernel's source.
#include <gtest/gtest.h>

#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/process.hpp"

namespace vitrine::tests {
namespace {

std::filesystem::path source_of(std::string name) {
  for (const char* width : {"_32", "_64"}) {
    const std::filesystem::path path = std::filesystem::path(SOURCE_FOLDER) / (name + ".cpp");
    if (std::filesystem::exists(path)) return path;
    if (name.ends_with(width)) name.resize(name.size() - 3);
  }
  return std::filesystem::path(SOURCE_FOLDER) / (name + ".cpp");
}

/// "keyboard_without_eoi.cpp:4": the line of the guest's source that ends with "// why: MARK".
std::string line_of(const std::string& name, const std::string& mark) {
  const std::filesystem::path path = source_of(name);
  std::istringstream lines(contents_of(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.ends_with("// why: " + mark)) return path.filename().string() + ":" + std::to_string(number);
  }
  ADD_FAILURE() << path << " has no line \"// why: " << mark << '"';
  return "nowhere";
}

/// Replaces "{mark}" by file and line.
std::string with_lines(const std::string& name, std::string text) {
  for (std::size_t open = text.find('{'); open != std::string::npos; open = text.find('{', open + 1)) {
    const std::size_t close = text.find('}', open);
    text.replace(open, close + 1 - open, line_of(name, text.substr(open + 1, close - open - 1)));
  }
  return text;
}

struct Case {
  const char* guest;
  std::vector<const char*> run;  ///< more options of `vitrine run`
  std::vector<const char*> ask;
  int status;
  std::vector<const char*> sentences;  ///< "{mark}": file and line
  bool told_unasked = true;
};

void PrintTo(const Case& test, std::ostream* out) { *out << test.guest; }

const std::vector<Case> cases = {
    {"keyboard_without_eoi_32",
     {"--keys", "ab"},
     {"--source", "keyboard"},
     80,
     {"the first 8259 still has it in service since", "keyboard_handler", "({handler}) returned without EOI.",
      "Write 0x20 to port 0x20"}},
    {"keyboard_without_eoi_64",
     {"--keys", "ab"},
     {"--line", "1"},
     80,
     {"IRQ 1 (keyboard) was raised at", "({handler}) returned without EOI."}},
    {"keyboard_not_read_64",
     {"--keys", "ab"},
     {"--source", "keyboard"},
     80,
     {"IRQ 1 (keyboard) is not raised any more", "was never read", "({handler}) did not touch it"}},
    {"serial_not_enabled_64",
     {},
     {"--source", "COM1"},
     80,
     {"IRQ 4 (COM1) was never raised", "its own interrupt-enable bit is off", "({disable})"}},
    {"line_masked_64", {}, {"--line", "4"}, 83, {"mask bit 4 is set since", "({mask})"}},
    {"interrupts_off_64", {}, {"--line", "0"}, 80, {"has interrupts off (IF=0) since", "({cli})"}},
    {"cascade_masked_64",
     {},
     {"--line", "8"},
     80,
     {"IRQ 8 (real-time clock)", "the first 8259 masks the input that it asks on (mask bit 2)", "({mask})"}},
    {"timer_as_vector_8_32",
     {},
     {"--line", "0"},
     83,
     {"IRQ 0 (timer) arrives as vector 8, which is the CPU's own: double fault", "as the firmware left it",
      "({handler})"}},
    {"timer_as_vector_8_64", {}, {"--vector", "8"}, 83, {"IRQ 0 (timer) arrives as vector 8", "({handler})"}},
    {"gate_absent_64",
     {},
     {"--line", "0"},
     83,
     {"could not enter its handler through vector 0x20: the gate is not present", "#NP segment not present",
      "({interrupted})"}},
    {"handler_never_returns_64",
     {},
     {"--line", "0"},
     80,
     {"timer_handler (", "has run since then and not returned", "the CPU was last at", "({spin})"}},
    {"timer_half_programmed_64",
     {},
     {"--source", "timer"},
     83,
     {"IRQ 0 (timer)", "it has not been programmed to the end", "({half})"}},
    {"wrong_polarity_64",
     {},
     {"--line", "4"},
     80,
     {"entry 4 of the I/O APIC says active low", "({entry})",
      "now    I/O APIC: sees no request on pin 4: the line is high"}},
    {"wrong_trigger_64",
     {},
     {"--source", "interrupt-tester"},
     80,
     {"entry 18 of the I/O APIC is edge-triggered", "({entry})", "this line is a level, which devices share"},
     false},
    {"half_written_64",
     {},
     {"--line", "4"},
     80,
     {"entry 4 of the I/O APIC is open but only half-written", "({entry})"}},
    {"apic_disabled_64", {}, {"--line", "4"}, 83, {"is switched off (SVR bit 8 is clear)", "({disable})"}},
    {"apic_off_64", {}, {"--line", "4"}, 83, {"is switched off (bit 11 of IA32_APIC_BASE is clear)", "({disable})"}},
    {"eoi_to_8259_64",
     {},
     {"--line", "4"},
     80,
     {"({handler}) sent its EOI to the first 8259, which had nothing in service"}},
    {"entry_masked_64",
     {},
     {"--line", "4"},
     83,
     {"bit 16 of entry 4 is set since", "({mask})", "now    I/O APIC: takes nothing on pin 4: bit 16"}},
    {"task_priority_64", {}, {"--line", "4"}, 80, {"the task priority (TPR) of CPU 0 is 0x80", "({raise})"}},
    {"level_without_eoi_64",
     {},
     {"--source", "interrupt-tester"},
     80,
     {"waits for its EOI (remote IRR of entry 18)", "({handler}) returned without EOI"}},
    {"ipi_to_nobody_64",
     {},
     {"--vector", "0x54"},
     83,
     {"which no local APIC has", "({send})", "the one local APIC here has id 0"}},
    {"entry_never_opened_64",
     {},
     {"--line", "18"},
     80,
     {"PIRQ C (interrupt-tester) was raised at", "the I/O APIC masks it: the guest has never opened entry 18",
      "mask bit 2 of the second 8259 (IRQ 10, where the router leads PIRQ C) is set",
      "now    I/O APIC: takes nothing on pin 18"}},
    {"hpet_entry_masked_64",
     {},
     {"--source", "HPET"},
     80,
     {"I/O APIC pin 20 (HPET) was raised at", "the guest has never opened entry 20", "({entry})"}},
    {"hpet_comparator_half_64",
     {},
     {"--source", "hpet"},
     80,
     {"The HPET's counter runs, and has not met a comparator", "({timer})", "({counter})"},
     false},
    {"shootdown_64",
     {"--cpus", "2", "--max-instructions", "30000000"},
     {"--vector", "0x54"},
     80,
     {"IPI (local APIC of CPU 0) was sent at", "CPU 1 has interrupts off (IF=0) since",
      "({cli}); CPU 1 is at take_lock", "({lock}), and CPU 0 sent it at flush_others",
      "({send}) and is at flush_others", "({answer}). If CPU 0 waits", "IF cleared at take_lock",
      "({lock}) when the run ended"}},
    {"local_timer_masked_64",
     {},
     {"--vector", "0x41"},
     80,
     {"local timer (local APIC of CPU 0) was raised", "masks its entry for local timer since", "({mask})"},
     false},
    {"eoi_not_told_64",
     {},
     {"--source", "interrupt-tester"},
     80,
     {"tells no I/O APIC of its EOIs (SVR bit 12) since", "({suppress})", "has no EOI register"}},
};

class WhyGuest : public testing::TestWithParam<Case> {};

TEST_P(WhyGuest, is_told_the_reason_with_file_and_line) {
  const Case& test = GetParam();
  const Folder folder;
  const std::string image = std::string(GUEST_FOLDER) + "/" + test.guest + ".elf";
  const std::string trace = folder.path / "trace";
  std::vector<std::string> words = {VITRINE_COMMAND, "run",      image, "--serial", "none", "--max-time",
                                    "300ms",         "--memory", "16M", "--trace",  trace};
  words.insert(words.end(), test.run.begin(), test.run.end());
  const Result ran = run(words, {.seconds_at_most = 60});
  EXPECT_EQ(ran.status, test.status) << ran.err;

  words = {VITRINE_COMMAND, "why", trace, "--symbols", image};
  words.insert(words.end(), test.ask.begin(), test.ask.end());
  const Result asked = run(words, {.seconds_at_most = 60});
  EXPECT_EQ(asked.status, 0) << asked.err;
  for (const char* sentence : test.sentences) {
    const std::string wanted = with_lines(test.guest, sentence);
    EXPECT_NE(asked.out.find(wanted), std::string::npos) << "not said: " << wanted << "\n" << asked.out;
  }
  const std::string first = asked.out.substr(0, asked.out.find('\n'));
  if (test.told_unasked) {
    EXPECT_NE(ran.err.find(first), std::string::npos) << "not said unasked: " << first << "\n" << ran.err;
  }
}

INSTANTIATE_TEST_SUITE_P(, WhyGuest, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case>& each) { return std::string(each.param.guest); });

}  // namespace
}  // namespace vitrine::tests
