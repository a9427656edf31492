// Who gets what: every command that ICR can hold, every MSI and every LVT entry, each delivery mode with each
// destination mode, shorthand, trigger mode and level (SDM vol. 3A §10.5.1, §10.6.1, §10.11).
#include <optional>
#include <set>

#include "machine/devices/local_apic/local_apic_test_bench.hpp"

namespace vitrine {
namespace {

using namespace apic;
using Cpus = std::set<unsigned>;

constexpr unsigned cpus = 4, sender = 1;
constexpr u8 vector = 0x81;
/// By CPU, all below the vector's class: of any of them together, which one has the lowest.
constexpr std::array<u32, cpus> priorities = {0x40, 0x30, 0x10, 0x20};
const Cpus everybody = {0, 1, 2, 3};

/// How the APICs are set up, and what a destination means then.
struct Destination {
  const char* name;
  enum class Model : u8 { Flat, Cluster, X2apic } model;
  bool logical;
  u32 value;
  Cpus addressed;
};
const Destination destinations[] = {
    {"physical", Destination::Model::Flat, false, 2, {2}},
    {"physical, the sender itself", Destination::Model::Flat, false, sender, {sender}},
    {"physical, nobody", Destination::Model::Flat, false, 9, {}},
    {"physical broadcast", Destination::Model::Flat, false, 0xFF, everybody},
    {"flat", Destination::Model::Flat, true, 0b1001, {0, 3}},
    {"flat, nobody", Destination::Model::Flat, true, 0x40, {}},
    {"flat broadcast", Destination::Model::Flat, true, 0xFF, everybody},
    {"cluster", Destination::Model::Cluster, true, 0x13, {0, 1}},
    {"cluster, another bit of it", Destination::Model::Cluster, true, 0x22, {3}},
    {"cluster, nobody", Destination::Model::Cluster, true, 0x31, {}},
    {"cluster broadcast", Destination::Model::Cluster, true, 0xFF, everybody},
    {"x2APIC physical", Destination::Model::X2apic, false, 3, {3}},
    {"x2APIC physical broadcast", Destination::Model::X2apic, false, 0xFFFFFFFF, everybody},
    {"x2APIC physical, FFh is an id", Destination::Model::X2apic, false, 0xFF, {}},
    {"x2APIC cluster", Destination::Model::X2apic, true, 0b1010, {1, 3}},
    {"x2APIC cluster, nobody", Destination::Model::X2apic, true, 0x1000F, {}},
    {"x2APIC cluster broadcast", Destination::Model::X2apic, true, 0xFFFFFFFF, everybody},
};

void set_up(ApicBench& bench, Destination::Model model) {
  constexpr std::array<u32, cpus> clusters = {0x11, 0x12, 0x21, 0x22};
  bench.enable();
  for (unsigned i = 0; i < cpus; ++i) {
    bench.write(offset::task_priority, priorities[i], i);
    if (model == Destination::Model::Cluster) bench.write(offset::destination_format, 0x0FFFFFFF, i);
    bench.write(offset::logical_destination,
                model == Destination::Model::Cluster ? clusters[i] << 24 : 0x01000000u << i, i);
    if (model == Destination::Model::X2apic) bench.enable_x2apic(i);
  }
}

/// What a command comes to.
struct Effect {
  std::string said;  ///< by CPU: "2:81", "3:nmi"
  std::optional<MessageLoss> loss;
  bool operator==(const Effect&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Effect& effect) {
  return out << '"' << effect.said << "\", loss " << (effect.loss ? static_cast<int>(*effect.loss) : 0);
}

Effect seen(ApicBench& bench) {
  Effect effect;
  for (unsigned i = 0; i < cpus; ++i) {
    std::string what = bench.around(i).said;
    if (bench.apic(i).requests().has(vector)) what += "81";
    if (bench.level(vector, i)) what += "level";
    if (what.empty() && bench.wanted(i)) what = "extint";
    if (!what.empty()) effect.said += (effect.said.empty() ? "" : " ") + std::to_string(i) + ":" + what;
  }
  const std::vector<Record> lost = bench.bench.records(RecordKind::MessageLost);
  EXPECT_LE(lost.size(), 1u);
  if (!lost.empty()) effect.loss = static_cast<MessageLoss>(lost[0].detail);
  return effect;
}

/// `what` for all of them; to nobody it is lost.
Effect to(const Cpus& receivers, const std::string& what) {
  Effect effect;
  for (const unsigned cpu : receivers) {
    effect.said += (effect.said.empty() ? "" : " ") + std::to_string(cpu) + ":" + what;
  }
  if (receivers.empty()) effect.loss = MessageLoss::NoReceiver;
  return effect;
}

Cpus lowest(const Cpus& receivers) {
  if (receivers.empty()) return {};
  return {*std::ranges::min_element(receivers, {}, [](unsigned cpu) { return priorities[cpu]; })};
}

/// Tables 10-3 and 10-4: which delivery modes (columns 0 to 7) a shorthand goes with. SMI is valid, and there is no
/// SMM.
constexpr std::array<std::string_view, 4> valid = {
    "vvv-vvv-",  // no shorthand
    "v-------",  // self
    "v-------",  // all including self
    "vvv-vvv-",  // all excluding self
};

Effect expected_of_command(const Cpus& addressed, unsigned shorthand, unsigned mode, bool level, bool asserted) {
  Cpus receivers = shorthand == 0 ? addressed : shorthand == 1 ? Cpus{sender} : everybody;
  if (shorthand == 3) receivers.erase(sender);
  switch (static_cast<MessageMode>(mode)) {
    case MessageMode::Smi:
      return {.said = "", .loss = MessageLoss::Unsupported};
    case MessageMode::Reserved:
    case MessageMode::ExtInt:
      return {.said = "", .loss = MessageLoss::ReservedMode};
    case MessageMode::Init:
      // The INIT level de-assert changes arbitration ids, which nobody has any more.
      if (level && !asserted) {
        return {.said = "", .loss = receivers.empty() ? std::optional(MessageLoss::NoReceiver) : std::nullopt};
      }
      break;
    default:
      break;
  }
  if (valid[shorthand][mode] != 'v') return {.said = "", .loss = MessageLoss::Shorthand};
  switch (static_cast<MessageMode>(mode)) {
    case MessageMode::Fixed:
      return to(receivers, "81");
    case MessageMode::LowestPriority:
      return to(lowest(receivers), "81");
    case MessageMode::Nmi:
      return to(receivers, "nmi");
    case MessageMode::Init:
      return to(receivers, "init");
    default:
      return to(receivers, "sipi129");
  }
}

class Commands : public testing::TestWithParam<unsigned> {};

// Table 10-3, footnote 2: a level trigger mode is overridden, the IPI is an edge.
TEST_P(Commands, reach_whom_mode_and_shorthand_say) {
  const Destination& destination = destinations[GetParam()];
  for (unsigned bits = 0; bits < 4 * 8 * 2 * 2; ++bits) {
    const unsigned shorthand = bits & 3, mode = bits >> 2 & 7;
    const bool level = (bits & 0x20) != 0, asserted = (bits & 0x40) != 0;
    ApicBench bench(cpus);
    set_up(bench, destination.model);
    const u32 low = vector | mode << 8 | (destination.logical ? 1u << command_logical : 0) |
                    (asserted ? 1u << command_assert : 0) | (level ? 1u << command_level : 0) | shorthand << 18;
    if (destination.model == Destination::Model::X2apic) {
      bench.write_msr(msr::x2apic_first + (offset::command_low >> 4), u64{destination.value} << 32 | low, sender);
    } else {
      bench.write(offset::command_high, destination.value << 24, sender);
      bench.write(offset::command_low, low, sender);
    }
    EXPECT_EQ(seen(bench), expected_of_command(destination.addressed, shorthand, mode, level, asserted))
        << destination.name << ", shorthand " << shorthand << ", mode " << mode << (level ? ", level" : ", edge")
        << (asserted ? ", asserted" : "");
  }
}
INSTANTIATE_TEST_SUITE_P(EveryDestination, Commands,
                         testing::Range(0u, static_cast<unsigned>(std::size(destinations))));

// §10.6.2.4: who has the vector in IRR or ISR is the focus, and takes it whatever his priority is.
TEST(LowestPriorityCommand, goes_to_the_focus_if_it_is_addressed) {
  constexpr u32 command = vector | 1 << 8 | 1u << command_logical | 1u << command_assert;
  for (const bool in_service : {false, true}) {
    for (const bool checked : {false, true}) {
      ApicBench bench(cpus);
      set_up(bench, Destination::Model::Flat);
      bench.interrupt(vector, 0);
      if (in_service) bench.take(0);
      if (!checked) bench.write(offset::spurious_vector, 0x3FF, 0);
      bench.write(offset::command_high, 0b1001u << 24, sender);
      bench.write(offset::command_low, command, sender);
      EXPECT_EQ(bench.apic(3).requests().has(vector), !checked) << in_service;
      bench.write(offset::command_high, 0b1100u << 24, sender);
      bench.write(offset::command_low, command, sender);
      EXPECT_EQ(bench.apic(2).requests().has(vector), checked)
          << "CPU 0 is not addressed; CPU 3 may be the focus by now";
    }
  }
}

// §10.11.1, §10.11.2: with the redirection hint a fixed one goes to the least busy; level needs the assert bit.
TEST(Msi, reaches_whom_mode_destination_and_hint_say) {
  for (const Destination& destination : destinations) {
    if (destination.model == Destination::Model::X2apic || destination.value > 0xFF) continue;
    for (unsigned bits = 0; bits < 8 * 2 * 2 * 2; ++bits) {
      const unsigned mode = bits & 7;
      const bool hint = (bits & 8) != 0, level = (bits & 0x10) != 0, asserted = (bits & 0x20) != 0;
      ApicBench bench(cpus);
      set_up(bench, destination.model);
      bench.send(
          message_of_msi(0xFEE00000 | u64{destination.value} << 12 | (hint ? 8 : 0) | (destination.logical ? 4 : 0),
                         vector | mode << 8 | (asserted ? 1u << 14 : 0) | (level ? 1u << 15 : 0), RequestId{}));
      const Cpus& all = destination.addressed;
      const bool drops = level && !asserted;
      const std::string sets = level ? "81level" : "81";
      Effect expected;
      switch (static_cast<MessageMode>(mode)) {
        case MessageMode::Fixed:
        case MessageMode::LowestPriority:
          expected = to(mode == 1 || hint ? lowest(all) : all, sets);
          if (drops && !all.empty()) expected = {.said = "", .loss = MessageLoss::Deassert};
          break;
        case MessageMode::Nmi:
          expected = to(all, "nmi");
          break;
        case MessageMode::Init:
          expected = to(all, "init");
          if (drops) expected.said.clear();
          break;
        case MessageMode::ExtInt:
          expected = to(all, "extint");
          break;
        case MessageMode::Smi:
          expected = {.said = "", .loss = MessageLoss::Unsupported};
          break;
        default:
          expected = {.said = "", .loss = MessageLoss::ReservedMode};
      }
      if (drops && mode == 0 && !hint && all.size() > 1) continue;  // each of them loses it
      EXPECT_EQ(seen(bench), expected) << destination.name << ", mode " << mode << (hint ? ", hint" : "")
                                       << (level ? ", level" : ", edge") << (asserted ? ", asserted" : "");
    }
  }
}

// §10.5.1: INIT and ExtINT are LINT0's and LINT1's only; 110 is reserved in all of them.
TEST(LocalVector, each_entry_does_what_its_delivery_mode_says) {
  struct Row {
    const char* name;
    u32 entry;
    std::array<const char*, 8> does;
  };
  constexpr const char* none = "lost";
  constexpr std::array<const char*, 8> of_a_pin = {"81", none, none, none, "nmi", "init", none, "extint"};
  constexpr std::array<const char*, 8> of_the_cpu = {"81", none, none, none, "nmi", none, none, none};
  const Row rows[] = {{"LINT0", offset::lvt_lint0, of_a_pin},
                      {"LINT1", offset::lvt_lint1, of_a_pin},
                      {"performance counter", offset::lvt_performance, of_the_cpu},
                      {"CMCI", offset::lvt_cmci, of_the_cpu}};
  for (const Row& row : rows) {
    for (unsigned mode = 0; mode < 8; ++mode) {
      ApicBench bench;
      bench.enable();
      bench.write(row.entry, vector | mode << 8);
      if (row.entry == offset::lvt_lint0) bench.processors[0].pins[LocalApic::lint0].set(Level::High);
      if (row.entry == offset::lvt_lint1) bench.processors[0].pins[LocalApic::lint1].set(Level::High);
      if (row.entry == offset::lvt_performance) {
        bench.apic().raise_local(LocalInterrupts::Source::PerformanceCounter);
      }
      if (row.entry == offset::lvt_cmci) bench.apic().raise_local(LocalInterrupts::Source::CorrectedMachineCheck);
      std::string does = bench.around().said;
      if (bench.apic().requests().has(vector)) {
        does += "81";
      } else if (bench.wanted()) {
        does += bench.take() == 0x08 ? "extint" : "?";
      }
      const std::vector<Record> lost = bench.bench.records(RecordKind::MessageLost);
      for (const Record& each : lost) {
        does += "lost";
        const auto loss = mode == 2 ? MessageLoss::Unsupported : MessageLoss::ReservedMode;
        EXPECT_EQ(each.detail, static_cast<u8>(loss)) << row.name << ' ' << mode;
      }
      EXPECT_EQ(does, row.does[mode]) << row.name << ", mode " << mode;
    }
  }
}

}  // namespace
}  // namespace vitrine
