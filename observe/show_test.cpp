// How `vitrine show` words what devices, controllers and threads tell.
#include "observe/show.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vitrine {
namespace {

const std::vector<std::string> sources = {"cpu0", "pic0",       "pit",  "rtc",    "i8042",
                                          "com1", "annotation", "lpt1", "acpi-pm"};
enum Source : u8 { Cpu0, Pic0, Pit, Rtc, Keyboard, Com1, Annotations, Lpt1, Acpi };

std::string line_of(Record record, u16 source) {
  TraceHeader header;
  header.sources = sources;
  record.source = source;
  const std::string line = show_line(record, header, nullptr);
  return line.substr(25);
}

constexpr u8 detail(auto value) { return static_cast<u8>(value); }

TEST(ShowWithheld, the_end_says_what_it_was) {
  EXPECT_EQ(
      line_of({.other = detail(WithheldCause::InterruptEnableOff),
               .extra = 1,
               .kind = RecordKind::Withheld,
               .pin = 1,
               .detail = detail(WithheldCause::None)},
              Keyboard),
      "i8042 no longer holds its interrupt back; that was because the keyboard interrupt is off (8042 configuration "
      "byte, bit 0)");
}

TEST(ShowWithheld, names_the_switch_since_when_and_by_whom_and_the_cause_that_waits) {
  EXPECT_EQ(line_of({.address = 0x1234,
                     .since = 5'000'000,
                     .extra = 1,
                     .kind = RecordKind::Withheld,
                     .pin = 1,
                     .detail = detail(WithheldCause::InterruptEnableOff)},
                    Keyboard),
            "i8042 does not raise IRQ 1: the keyboard interrupt is off (8042 configuration byte, bit 0) since "
            "0.005000000, by 0x1234 (a byte from the keyboard is in its output buffer)");
  EXPECT_EQ(
      line_of({.extra = 2, .kind = RecordKind::Withheld, .pin = 4, .detail = detail(WithheldCause::OutputGateOff)},
              Com1),
      "com1 does not raise IRQ 4: OUT2 (MCR bit 3) is clear, or loopback (MCR bit 4) is on since power-on "
      "(received data waits)");
  EXPECT_EQ(line_of({.since = 1'000'000,
                     .extra = 1,
                     .kind = RecordKind::Withheld,
                     .pin = 1,
                     .detail = detail(WithheldCause::BufferNotRead)},
                    Keyboard),
            "i8042 does not raise IRQ 1: the next byte waits, because port 0x60 has not been read since 0.001000000");
}

TEST(ShowWithheld, every_cause_of_every_device_has_words) {
  for (u16 source = Pit; source < sources.size(); ++source) {
    for (u8 cause = 1; cause <= detail(WithheldCause::NotProgrammed); ++cause) {
      for (u64 device_cause = 0; device_cause < 8; ++device_cause) {
        const std::string text =
            line_of({.extra = device_cause, .kind = RecordKind::Withheld, .detail = cause}, source);
        EXPECT_EQ(text.find("unknown"), std::string::npos) << text;
      }
    }
  }
}

TEST(ShowProgrammed, names_registers_by_the_fields_words) {
  const auto text = [](RecordKind kind, u8 which, u64 before, u64 after, u16 source, u8 pin = 0) {
    return line_of({.address = 0x1234, .other = before, .extra = after, .kind = kind, .pin = pin, .detail = which},
                   source);
  };
  constexpr auto device = RecordKind::DeviceProgrammed;
  constexpr auto controller = RecordKind::ControllerProgrammed;
  EXPECT_EQ(text(device, detail(DeviceRegister::UartInterruptEnable), 0, 5, Com1),
            "com1: IER goes from 0x00 to 0x05 at 0x1234");
  EXPECT_EQ(text(device, detail(DeviceRegister::KeyboardController), 0x65, 0x64, Keyboard),
            "i8042: 8042 configuration byte goes from 0x65 to 0x64 at 0x1234");
  EXPECT_EQ(text(device, detail(DeviceRegister::KeyboardScanning), 0, 1, Keyboard, 12),
            "i8042: mouse reporting is on at 0x1234");
  EXPECT_EQ(text(device, detail(DeviceRegister::PitCount), 0, 65536, Pit),
            "pit: count of counter 0 goes from 0 to 65536 at 0x1234");
  EXPECT_EQ(text(controller, detail(ControllerRegister::VectorBase), 8, 0x20, Pic0),
            "pic0: vector base (ICW2) goes from 0x08 to 0x20 at 0x1234");
  EXPECT_EQ(text(controller, detail(ControllerRegister::Automatic), 0, 1, Pic0),
            "pic0: automatic EOI (ICW4) is on at 0x1234");
  EXPECT_EQ(text(controller, detail(ControllerRegister::Initialised), 1, 0, Pic0),
            "pic0: initialisation begins (ICW1) at 0x1234");
}

TEST(ShowThreads, read_as_sentences_and_names_are_harmless) {
  EXPECT_EQ(line_of({.time = 5000, .other = 7, .since = 2000, .kind = RecordKind::ThreadRuns}, Annotations),
            "CPU 0 goes on with thread 7, 3.000 us after it was woken");
  EXPECT_EQ(line_of({.other = 7, .kind = RecordKind::ThreadWoken}, Annotations), "wakes thread 7");
  EXPECT_EQ(line_of({.address = 0x1B'6873, .other = 7, .kind = RecordKind::ThreadNamed}, Annotations),
            "thread 7 is called \"sh?\"");
}

TEST(ShowRaised, says_the_devices_cause_in_words) {
  EXPECT_EQ(line_of({.id = 3, .kind = RecordKind::Raised, .pin = 8, .detail = 1}, Rtc),
            "rtc raises IRQ 8: the periodic interrupt is due");
  EXPECT_EQ(line_of({.id = 3, .address = 0x1234, .extra = 0x60, .kind = RecordKind::Attended, .pin = 1}, Keyboard),
            "the guest turns to i8042: port 0x60 at 0x1234");
}

TEST(ShowJson, has_words_beside_numbers) {
  TraceHeader header;
  header.sources = sources;
  const Record withheld{.kind = RecordKind::Withheld, .detail = detail(WithheldCause::FlagNotRead), .source = Rtc};
  EXPECT_EQ(nlohmann::json::parse(show_json(withheld, header, nullptr))["what"], "flag-not-read");
  const Record named{.address = 'x', .other = 7, .kind = RecordKind::ThreadNamed, .source = Annotations};
  EXPECT_EQ(nlohmann::json::parse(show_json(named, header, nullptr))["name"], "x");
}

TEST(ShowFilterByLine, shows_what_holds_the_line_low_though_it_has_no_request) {
  TraceHeader header;
  header.sources = sources;
  ShowSelector selector({.line = 1}, header);
  EXPECT_TRUE(selector.selects({.kind = RecordKind::Withheld, .pin = 1}));
  EXPECT_TRUE(selector.selects({.kind = RecordKind::DeviceProgrammed, .pin = 1}));
  EXPECT_FALSE(selector.selects({.kind = RecordKind::Withheld, .pin = 4}));
}

}  // namespace
}  // namespace vitrine
