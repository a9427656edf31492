// The rules of the 82093AA and ICH9 data sheets, as rows: section, what happens at registers and pins, what is seen.
#include "machine/devices/io_apic/io_apic.hpp"

#include <array>
#include <ostream>
#include <sstream>
#include <string>

#include "machine/devices/device_suite.hpp"

namespace vitrine {
namespace {

constexpr AccessSize dword(4);
constexpr u8 isa_pin = 4, pci_pin = 16;

/// A local APIC that takes everything for its id, in physical and flat mode.
struct Agent final : ApicBusAgent {
  explicit Agent(u8 number) : number(number) {}
  [[nodiscard]] bool addressed_by(const InterruptMessage& message) const override {
    if (message.broadcast()) return true;
    return message.logical ? (message.destination >> number & 1) != 0 : message.destination == number;
  }
  [[nodiscard]] u8 arbitration_priority() const override { return 0; }
  [[nodiscard]] bool focus(u8) const override { return false; }
  [[nodiscard]] bool takes(const InterruptMessage&) const override { return on; }
  void accept(const InterruptMessage& message) override { got.push_back(message); }
  [[nodiscard]] u8 cpu() const override { return number; }
  u8 number;
  bool on = true;
  std::vector<InterruptMessage> got;
};

/// The chip, two local APICs, an ISA line on pin 4 and a PCI line on pin 16.
struct Bench {
  TestBench bench;
  ApicBus bus{bench.ledger};
  std::array<Agent, 2> agents{Agent(0), Agent(1)};
  IoApic& chip;
  std::array<LineDriver, IoApic::pins> line{};

  explicit Bench(IoApic::Version version = IoApic::Version::V11)
      : chip(bench.add<IoApic>("ioapic0", IoApic::Wiring{version, 0xFF0000}, bus)) {
    for (Agent& agent : agents) bus.attach(agent);
    for (const u8 pin : {isa_pin, pci_pin}) line[pin] = bench.input(chip, Pin(pin), "line", pin);
  }
  u32 get(u8 index) {
    chip.write(IoApic::registers, IoApic::select_offset, dword, index);
    return static_cast<u32>(chip.read(IoApic::registers, IoApic::data_offset, dword));
  }
  void set(u8 index, u32 value) {
    chip.write(IoApic::registers, IoApic::select_offset, dword, index);
    chip.write(IoApic::registers, IoApic::data_offset, dword, value);
  }
  static u8 low(u8 pin) { return static_cast<u8>(IoApic::first_entry_index + 2 * pin); }
  static u8 high(u8 pin) { return static_cast<u8>(low(pin) + 1); }

  /// Runs words and returns what arrived at the local APICs, and what was asked for.
  ///   P=XXXXXXXX     writes the low half of pin P's entry      P^XX  the destination in the high half
  ///   +P -P          devices assert and release the line of pin P
  ///   eoi:XX         a local APIC broadcasts the EOI of vector XX     reg40:XX  ... the guest writes the EOI register
  ///   off0 on0       the local APIC of CPU 0                            changed  it says so
  ///   rP             pin P's remote IRR and delivery status: i, d, id or -
  ///   reset
  /// A message reads CPU/vector, with L for level, and N, S, I, X for NMI, SMI, INIT, ExtINT.
  std::string run(const std::string& script) {
    std::istringstream words(script);
    std::ostringstream seen;
    const auto space = [&seen] { seen << (seen.tellp() > 0 ? " " : ""); };
    for (std::string word; words >> word;) {
      const auto number = [&word](std::size_t from, int base) {
        return static_cast<u32>(std::stoul(word.substr(from), nullptr, base));
      };
      const std::size_t equals = word.find_first_of("=^");
      if (word == "reset") {
        chip.reset();
      } else if (equals != std::string::npos) {
        const auto pin = static_cast<u8>(std::stoul(word));
        const u32 value = number(equals + 1, 16);
        set(word[equals] == '=' ? low(pin) : high(pin), word[equals] == '=' ? value : value << 24);
      } else if (word[0] == '+' || word[0] == '-') {
        line[number(1, 10)].set(word[0] == '+' ? Level::High : Level::Low);
      } else if (word.starts_with("eoi:")) {
        bus.broadcast_eoi(static_cast<u8>(number(4, 16)));
      } else if (word.starts_with("reg40:")) {
        chip.write(IoApic::registers, IoApic::eoi_offset, dword, number(6, 16));
      } else if (word.starts_with("off") || word.starts_with("on")) {
        agents[number(word.find_first_of("01"), 10)].on = word.starts_with("on");
      } else if (word == "changed") {
        bus.tell_receivers_changed();
      } else if (word[0] == 'r') {
        const u64 entry = chip.entry(Pin(static_cast<u8>(number(1, 10))));
        const bool irr = (entry & IoApic::remote_irr_bit) != 0;
        const bool pending = (entry & IoApic::delivery_status_bit) != 0;
        space();
        seen << (irr ? "i" : "") << (pending ? "d" : "") << (irr || pending ? "" : "-");
      } else {
        ADD_FAILURE() << "unknown word " << word;
      }
      for (Agent& agent : agents) {
        for (const InterruptMessage& message : agent.got) {
          space();
          seen << int{agent.number} << '/' << std::hex << int{message.vector} << std::dec << (message.level ? "L" : "");
          static constexpr std::string_view modes = "..S.NI.X";
          if (message.mode > MessageMode::LowestPriority) seen << modes[static_cast<std::size_t>(message.mode)];
        }
        agent.got.clear();
      }
    }
    return seen.str();
  }
  std::vector<Record> of_pin(RecordKind kind, u8 pin) {
    std::vector<Record> found;
    for (const Record& record : bench.records(kind)) {
      if (record.pin == pin) found.push_back(record);
    }
    return found;
  }
};

struct Row {
  const char* section;
  const char* rule;
  const char* script;
  const char* seen;
};
void PrintTo(const Row& row, std::ostream* stream) { *stream << row.section << ": " << row.rule; }

// Low halves: 40 vector; +8000 level, +2000 active low, +10000 masked, +800 logical, +100.. delivery mode.
constexpr Row rows[] = {
    {"3.2.4 default", "all pins are masked after reset", "+4 -4 +16 -16", ""},
    {"3.2.4 edge", "a rising edge is one message", "4=40 +4 -4 +4", "0/40 0/40"},
    {"3.2.4 edge", "an active level is no edge when the entry is written", "+4 4=40", ""},
    {"3.2.4 mask", "an edge on a masked pin is lost", "4=10040 +4 -4 4=40", ""},
    {"3.2.4 mask", "an edge on a masked pin is lost even if the input stays", "4=10040 +4 4=40 -4 +4", "0/40"},
    {"3.2.4 mask", "a level on a masked pin waits on the wire", "4=18040 +4 4=8040", "0/40L"},
    {"3.2.4 mask", "a level that goes before the unmask leaves nothing", "4=18040 +4 -4 4=8040", ""},
    {"3.2.4 level", "one message until its EOI, the next at once if the level stays", "4=8040 +4 eoi:40 eoi:40",
     "0/40L 0/40L 0/40L"},
    {"3.2.4 level", "an EOI after the release ends it", "4=8040 +4 -4 r4 eoi:40 r4", "0/40L i -"},
    {"3.2.4 level", "a new level before the EOI waits for it", "4=8040 +4 -4 +4 r4 eoi:40", "0/40L i 0/40L"},
    {"3.2.4 remote IRR", "the EOI of another vector leaves it", "4=8040 +4 eoi:41 r4 eoi:40", "0/40L i 0/40L"},
    {"3.2.4 remote IRR", "masking does not end what was accepted", "4=8040 +4 4=18040 r4 eoi:40 r4", "0/40L i -"},
    {"3.2.4 remote IRR", "EOI while masked, then unmask: the level is sent again", "4=8040 +4 4=18040 eoi:40 4=8040",
     "0/40L 0/40L"},
    {"3.2.4 remote IRR", "an edge entry has none", "4=40 +4 r4", "0/40 -"},
    {"3.2.4 remote IRR", "edge and back to level ends it where there is no EOI register", "4=8040 +4 4=10040 r4 4=8040",
     "0/40L - 0/40L"},
    {"3.2.4 remote IRR", "a vector changed under it is not ended by the old one's EOI", "4=8040 +4 -4 4=8050 eoi:40 r4",
     "0/40L i"},
    {"3.2.4 remote IRR", "read-only: writing it does nothing", "4=C040 r4 +4 4=8040 r4", "- 0/40L i"},
    {"3.2.4 delivery status", "pending while nobody accepts a level; the next EOI tries again",
     "off0 4=8040 +4 r4 on0 eoi:99 r4", "d 0/40L i"},
    {"3.2.4 delivery status", "pending while nobody accepts a level; sent as soon as somebody does",
     "off0 4=8040 +4 r4 changed r4 on0 changed r4", "d d 0/40L i"},
    {"3.2.4 delivery status", "a level that goes is no longer pending", "off0 4=8040 +4 r4 -4 r4", "d -"},
    {"3.2.4 delivery status", "an edge that nobody accepts is gone", "off0 4=40 +4 r4 on0 eoi:40", "-"},
    {"3.2.4 polarity", "PCI's active-low level, programmed so", "16=A050 +16 -16 eoi:50", "0/50L"},
    {"3.2.4 polarity", "PCI's line taken for active high: interrupts without end while it is idle",
     "16=8050 eoi:50 eoi:50", "0/50L 0/50L 0/50L"},
    {"3.2.4 polarity", "PCI's line taken for active high: none while a device asks", "16=8050 +16 eoi:50 eoi:50",
     "0/50L"},
    {"3.2.4 polarity", "an ISA edge taken for active low: the interrupt at the release", "4=12040 4=2040 +4 -4",
     "0/40"},
    {"3.2.4 polarity", "inverting an idle input on an open entry is an edge", "4=40 4=2040", "0/40"},
    {"3.2.4 polarity", "right polarity makes no edge when first written", "16=2050", ""},
    {"3.2.4 destination", "the high half says who", "4^01 4=40 +4", "1/40"},
    {"3.2.4 destination", "an entry opened before its destination goes to APIC 0", "4=8040 +4 4^01 eoi:40",
     "0/40L 1/40L"},
    {"3.2.4 destination", "logical: each bit a receiver", "4^03 4=8840 +4", "0/40L 1/40L"},
    {"3.2.4 destination", "FF is all", "4^FF 4=40 +4", "0/40 1/40"},
    {"3.2.4 lowest priority", "one of the addressed, in turn", "4^03 4=940 +4 -4 +4 -4 +4", "0/40 1/40 0/40"},
    {"3.2.4 delivery mode", "NMI is sent on the edge, as edge", "4=8400 +4 r4", "0/0N -"},
    {"3.2.4 delivery mode", "NMI stays on the level without another", "4=8400 +4 eoi:0 -4 +4", "0/0N 0/0N"},
    {"3.2.4 delivery mode", "INIT", "4=500 +4", "0/0I"},
    {"3.2.4 delivery mode", "SMI reaches nobody: there is no SMM", "4=200 +4", ""},
    {"3.2.4 delivery mode", "the destination mode counts for NMI, INIT and ExtINT too",
     "4^02 4=C00 +4 -4 4=D00 +4 -4 4=F00 +4", "1/0N 1/0I 1/0X"},
    {"3.2.4 delivery mode", "NMI, INIT and ExtINT reach all that are addressed",
     "4^03 4=C00 +4 -4 4=D00 +4 -4 4=F00 +4", "0/0N 1/0N 0/0I 1/0I 0/0X 1/0X"},
    {"3.2.4 delivery mode", "ExtINT on each edge of the 8259's output", "4=700 +4 -4 +4", "0/0X 0/0X"},
    {"3.2.4 delivery mode", "reserved modes reach nobody", "4=640 +4 -4 4=340 +4", ""},
    {"3.2.4 reset", "entries are masked again, the wires are as they are", "4=8040 +4 reset r4 eoi:40 4=8040",
     "0/40L - 0/40L"},
    {"ICH9 13.5.4", "version 11h has no EOI register", "4=8040 +4 -4 reg40:40 r4", "0/40L i"},
};

class IoApicRules : public testing::TestWithParam<Row> {};
TEST_P(IoApicRules, as_the_data_sheet_says) { EXPECT_EQ(Bench().run(GetParam().script), GetParam().seen); }
INSTANTIATE_TEST_SUITE_P(IoApic, IoApicRules, testing::ValuesIn(rows));

// ICH9 13.5.4.
TEST(IoApic, directed_eoi_ends_the_vector_and_every_pin_that_has_it) {
  Bench bench(IoApic::Version::V20);
  EXPECT_EQ(bench.run("4=8040 16=A040 +4 +16 -4 reg40:41 r4 reg40:40 r4 r16"), "0/40L 0/40L i 0/40L - i");
}

TEST(IoApic, registers_read_as_the_data_sheets_say) {
  struct Expected {
    IoApic::Version version;
    u8 index;
    u32 written, read;
  };
  constexpr Expected table[] = {
      {IoApic::Version::V11, IoApic::version_index, 0xFFFFFFFF, 0x00170011},
      {IoApic::Version::V20, IoApic::version_index, 0, 0x00170020},
      {IoApic::Version::V11, IoApic::id_index, 0xFFFFFFFF, 0x0F000000},
      {IoApic::Version::V11, IoApic::arbitration_index, 0x0F000000, 0},
      {IoApic::Version::V11, 0x10, 0xFFFFFFFF, 0x0001AFFF},
      {IoApic::Version::V11, 0x11, 0xFFFFFFFF, 0xFF000000},
      {IoApic::Version::V11, 0x3E, 0, 0},
      {IoApic::Version::V11, 0x3F, 0xFFFFFFFF, 0xFF000000},
      {IoApic::Version::V11, 0x40, 0xFFFFFFFF, 0},
      {IoApic::Version::V11, 0xFF, 0xFFFFFFFF, 0},
  };
  for (const Expected& row : table) {
    Bench bench(row.version);
    bench.set(row.index, row.written);
    EXPECT_EQ(bench.get(row.index), row.read) << "index " << int{row.index};
  }
}

TEST(IoApic, writing_the_id_loads_the_arbitration_id_of_version_11_only) {
  Bench old;
  old.set(IoApic::id_index, 0x0A000000);
  EXPECT_EQ(old.get(IoApic::arbitration_index), 0x0A000000u);
  Bench recent(IoApic::Version::V20);
  recent.set(IoApic::id_index, 0x0A000000);
  EXPECT_EQ(recent.get(IoApic::arbitration_index), 0u);
}

TEST(IoApic, data_is_written_by_aligned_dwords_only) {
  Bench bench;
  bench.chip.write(IoApic::registers, IoApic::select_offset, AccessSize(1), 0x10);
  bench.chip.write(IoApic::registers, IoApic::data_offset, AccessSize(1), 0);
  bench.chip.write(IoApic::registers, IoApic::data_offset + 2, AccessSize(2), 0);
  EXPECT_EQ(bench.get(0x10), 0x00010000u);
  EXPECT_EQ(bench.chip.read(IoApic::registers, IoApic::data_offset + 2, AccessSize(1)), 1u);
}

// The request's life.

TEST(IoApicLife, an_edge_lost_at_a_masked_pin_is_told_once_the_guest_uses_the_chip) {
  Bench bench;
  bench.run("+4 -4");
  EXPECT_TRUE(bench.bench.records(RecordKind::LineLost).empty()) << "nobody has opened a pin yet";
  bench.run("16=A050 +4");
  const std::vector<Record> lost = bench.bench.records(RecordKind::LineLost);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].pin, isa_pin);
  EXPECT_EQ(lost[0].id, bench.of_pin(RecordKind::Raised, isa_pin)[1].id);
}

TEST(IoApicLife, the_request_keeps_its_id_from_the_line_to_the_message_and_its_end) {
  Bench bench;
  bench.run("16=A050 +16 -16 eoi:50");
  const u64 id = bench.bench.records(RecordKind::Raised).at(0).id;
  for (const RecordKind kind :
       {RecordKind::Latched, RecordKind::MessageSent, RecordKind::InService, RecordKind::EndOfInterrupt}) {
    const std::vector<Record> found = bench.of_pin(kind, pci_pin);
    ASSERT_EQ(found.size(), 1u) << static_cast<int>(kind);
    EXPECT_EQ(found[0].id, id);
    EXPECT_EQ(found[0].vector, 0x50);
  }
}

TEST(IoApicLife, a_masked_level_says_which_instruction_masked_it_and_when) {
  Bench bench;
  bench.run("16=A050");
  bench.bench.advance(100);
  bench.bench.ledger.context.address = 0x1234;
  bench.run("16=1A050");
  bench.bench.advance(100);
  bench.bench.ledger.context.address = 0x9999;
  bench.run("+16 4=40 4=41");
  const std::vector<Record> blocked = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u) << "once per obstacle";
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::EntryMasked));
  EXPECT_EQ(blocked[0].address, 0x1234u);
  EXPECT_EQ(blocked[0].since, 100u);
  EXPECT_EQ(blocked[0].pin, pci_pin);
}

TEST(IoApicLife, a_level_behind_remote_irr_names_the_request_that_has_no_eoi) {
  Bench bench;
  bench.run("16=A050 +16 -16 +16");
  const std::vector<Record> raised = bench.bench.records(RecordKind::Raised);
  const std::vector<Record> blocked = bench.bench.records(RecordKind::Blocked);
  ASSERT_EQ(blocked.size(), 1u);
  EXPECT_EQ(blocked[0].detail, static_cast<u8>(Obstacle::RemoteIrr));
  EXPECT_EQ(blocked[0].id, raised.at(1).id);
  EXPECT_EQ(blocked[0].other, raised.at(0).id);
}

TEST(IoApicLife, a_wrong_polarity_makes_requests_that_no_device_raised) {
  Bench bench;
  bench.run("16=8050");
  EXPECT_TRUE(bench.bench.records(RecordKind::Raised).empty());
  const std::vector<Record> latched = bench.bench.records(RecordKind::Latched);
  ASSERT_EQ(latched.size(), 1u);
  EXPECT_NE(latched[0].id, 0u);
}

TEST(IoApicLife, each_half_of_an_entry_that_is_written_is_a_record_with_the_whole_entry) {
  Bench bench;
  bench.run("4=40 4^01");
  const std::vector<Record> programmed = bench.of_pin(RecordKind::ControllerProgrammed, isa_pin);
  ASSERT_EQ(programmed.size(), 2u);
  EXPECT_EQ(programmed[0].other, 0x10000u);
  EXPECT_EQ(programmed[0].extra, 0x40u);
  EXPECT_EQ(programmed[1].extra, 0x0100'0000'0000'0040u);
  const std::vector<Record> masks = bench.of_pin(RecordKind::MaskChanged, isa_pin);
  ASSERT_EQ(masks.size(), 1u);
  EXPECT_EQ(masks[0].extra, 0u);
  EXPECT_EQ(masks[0].other, 1u);
}

DeviceUnderTest io_apic() {
  struct Around {
    explicit Around(Ledger& ledger) : bus(ledger) { bus.attach(agent); }
    ApicBus bus;
    Agent agent{0};
  };
  return {.make = [kept = std::make_shared<std::vector<std::unique_ptr<Around>>>()](TestBench& bench) -> Device& {
            Around& around = *kept->emplace_back(std::make_unique<Around>(bench.ledger));
            auto& chip = bench.add<IoApic>("ioapic0", IoApic::Wiring{IoApic::Version::V20, 0xFF0000}, around.bus);
            for (const u8 pin : {isa_pin, pci_pin}) bench.input(chip, Pin(pin), "line", pin);
            for (const u8 pin : {isa_pin, pci_pin}) {
              bench.actions.emplace_back([&chip, pin] {
                chip.write(IoApic::registers, 0, dword, Bench::low(pin));
                chip.write(IoApic::registers, IoApic::data_offset, dword, pin == pci_pin ? 0xA050 : 0x40);
              });
            }
            bench.actions.emplace_back([&chip] { chip.eoi_broadcast(0x50); });
            return chip;
          },
          .regions = {{IoApic::registers, 0x44}}};
}
VITRINE_COMMON_DEVICE_SUITE(IoApic, io_apic());

}  // namespace
}  // namespace vitrine
