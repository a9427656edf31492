// vitrine export: what it writes, as readers that are not ours understand it.
#include <gmock/gmock.h>
#include <perfetto.pb.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>

#include "tests/traces/command.hpp"

namespace vitrine {
namespace {

using testing::HasSubstr;

class Export : public TraceCommand {
 protected:
  Export() : counts(make_trace(path("trace"), 20'000)) {}

  perfetto::Trace exported_perfetto() {
    EXPECT_EQ(vitrine({"export", path("trace"), "--perfetto", path("perfetto")}).status, 0);
    perfetto::Trace trace;
    EXPECT_TRUE(trace.ParseFromString(contents(path("perfetto"))));
    return trace;
  }
  nlohmann::json exported_chrome() {
    EXPECT_EQ(vitrine({"export", path("trace"), "--chrome", path("chrome")}).status, 0);
    return nlohmann::json::parse(contents(path("chrome")))["traceEvents"];
  }
  void expect_one_line(const Result& result, const std::string& clause) {
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
    EXPECT_THAT(result.err, HasSubstr(clause));
  }

  MadeUpCounts counts;
};

/// What a reader of Perfetto traces makes of the packets.
struct Picture {
  std::map<std::string, u64> begun, instants;  // by track and name
  std::map<u64, std::vector<std::string>> flows;
  std::set<std::string> tracks;
  u64 unbalanced = 0;

  explicit Picture(const perfetto::Trace& trace) {
    std::map<u64, std::string> names, track_names;
    // By track: time, place in the file (which decides between equal times), and +1 or -1.
    std::map<u64, std::vector<std::tuple<u64, std::size_t, int>>> edges;
    std::size_t place = 0;
    for (const perfetto::Packet& packet : trace.packet()) {
      for (const auto& entry : packet.interned_data().event_names()) names[entry.iid()] = entry.text();
      if (packet.has_track_descriptor()) {
        const auto& descriptor = packet.track_descriptor();
        track_names[descriptor.uuid()] = descriptor.name();
        tracks.insert(descriptor.name());
      }
      if (!packet.has_track_event()) continue;
      const perfetto::Event& event = packet.track_event();
      EXPECT_TRUE(track_names.contains(event.track_uuid())) << "events come after their track's descriptor";
      const std::string& track = track_names[event.track_uuid()];
      if (event.type() == perfetto::Event::SLICE_END) {
        edges[event.track_uuid()].emplace_back(packet.timestamp(), ++place, -1);
        continue;
      }
      EXPECT_TRUE(names.contains(event.name_iid()));
      const std::string what = track + ": " + names[event.name_iid()];
      for (const u64 flow : event.flow_ids()) flows[flow].push_back(what);
      if (event.type() == perfetto::Event::INSTANT) ++instants[what];
      if (event.type() != perfetto::Event::SLICE_BEGIN) continue;
      ++begun[what];
      edges[event.track_uuid()].emplace_back(packet.timestamp(), ++place, 1);
    }
    for (auto& [track, list] : edges) {
      std::ranges::sort(list);
      i64 depth = 0;
      for (const auto& edge : list) {
        depth += std::get<2>(edge);
        unbalanced += depth < 0 ? 1 : 0;
      }
      unbalanced += depth != 0 ? 1 : 0;
    }
  }
};

TEST_F(Export, perfetto_has_a_slice_for_each_handler_and_all_slices_end) {
  const Picture picture(exported_perfetto());
  EXPECT_EQ(picture.unbalanced, 0);
  EXPECT_EQ(picture.begun.at("CPU 0 handlers: IRQ 0 pit") + picture.begun.at("CPU 0 handlers: IRQ 1 i8042"),
            counts.interrupts);
  EXPECT_EQ(picture.begun.at("CPU 0 handlers: #PF page fault"), counts.page_faults);
  EXPECT_EQ(picture.begun.at("CPU 0 interrupts off: interrupts off"), counts.interrupts);
  EXPECT_EQ(picture.begun.at("CPU 0 thread: shell") + picture.begun.at("CPU 0 thread: idle"), counts.switches);
  EXPECT_EQ(picture.begun.at("pic0 pin 0 requested: requested"), picture.begun.at("IRQ 0 (Timer): high"));
  EXPECT_EQ(picture.begun.at("pic0 pin 0 in service: in service"), picture.begun.at("pit (IRQ 0): raises"));
}

TEST_F(Export, perfetto_ties_a_life_together_from_device_to_thread) {
  const Picture picture(exported_perfetto());
  const auto life = std::ranges::find_if(
      picture.flows, [](const auto& flow) { return flow.second.front() == "i8042 (IRQ 1): raises"; });
  ASSERT_NE(life, picture.flows.end());
  EXPECT_THAT(life->second,
              testing::ElementsAre("i8042 (IRQ 1): raises", "IRQ 1 (Keyboard): high", "pic0 pin 1 requested: requested",
                                   "CPU 0 handlers: must wait: interrupt-flag", "pic0 pin 1 requested: acknowledged",
                                   "pic0 pin 1 in service: in service", "CPU 0 handlers: IRQ 1 i8042",
                                   "shell (1): woken", "pic0 pin 1 in service: EOI", "shell (1): runs on CPU 0"));
}

TEST_F(Export, perfetto_packets_say_which_state_they_need) {
  const perfetto::Trace trace = exported_perfetto();
  EXPECT_EQ(trace.packet(0).sequence_flags(), 1u) << "the first clears what was interned";
  for (const perfetto::Packet& packet : trace.packet()) {
    EXPECT_EQ(packet.trusted_packet_sequence_id(), 1u);
    EXPECT_NE(packet.sequence_flags(), 0u);
  }
}

TEST_F(Export, chrome_is_json_with_balanced_slices_and_whole_flows) {
  std::map<std::pair<u64, u64>, i64> depth;
  std::map<u64, std::string> flows;
  std::map<std::string, u64> phases;
  std::map<u64, double> last_time;
  for (const auto& event : exported_chrome()) {
    const std::string phase = event["ph"];
    ++phases[phase];
    const std::pair<u64, u64> track(event["pid"], event["tid"]);
    if (phase == "B") ++depth[track];
    if (phase == "E") EXPECT_GE(--depth[track], 0);
    if (phase == "s" || phase == "t" || phase == "f") flows[event["id"]] += phase;
    if (phase != "B" && phase != "E") continue;
    EXPECT_GE(event["ts"].get<double>(), last_time[track.second]);
    last_time[track.second] = event["ts"];
  }
  for (const auto& [track, left] : depth) EXPECT_EQ(left, 0) << track.second;
  EXPECT_EQ(flows.size(), counts.interrupts) << "a page fault is one step, and has no arrow";
  for (const auto& [id, steps] : flows) {
    EXPECT_EQ(steps.front(), 's') << id;
    EXPECT_EQ(steps.find_first_not_of('t', 1), steps.size() - 1) << id;
    EXPECT_EQ(steps.back(), 'f') << id;
  }
  EXPECT_EQ(phases["B"], phases["E"]);
  EXPECT_GE(phases["X"], counts.interrupts);
}

TEST_F(Export, ctf_is_read_by_babeltrace_with_lttngs_events) {
  ASSERT_EQ(vitrine({"export", path("trace"), "--ctf", path("ctf")}).status, 0);
  const Result read = run({VITRINE_BABELTRACE, "--fields=all", path("ctf")});
  ASSERT_EQ(read.status, 0) << read.err;
  EXPECT_EQ(read.err, "");
  std::map<std::string, u64> events;
  std::istringstream lines(read.out);
  u64 total = 0;
  for (std::string line; std::getline(lines, line); ++total) {
    for (const char* name : {"irq_handler_entry", "irq_handler_exit", "x86_exceptions_page_fault_kernel",
                             "sched_switch", "sched_waking", "vitrine_raised"}) {
      if (line.find(std::string(" ") + name + ":") != std::string::npos) ++events[name];
    }
  }
  EXPECT_EQ(total, counts.records);
  EXPECT_EQ(events["irq_handler_entry"], counts.interrupts);
  EXPECT_EQ(events["irq_handler_exit"], counts.interrupts);
  EXPECT_EQ(events["vitrine_raised"], counts.interrupts);
  EXPECT_EQ(events["x86_exceptions_page_fault_kernel"], counts.page_faults);
  EXPECT_EQ(events["sched_switch"], counts.switches);
  EXPECT_THAT(read.out, HasSubstr("prev_comm = \"idle\""));
  EXPECT_THAT(read.out, HasSubstr("name = \"i8042\""));
}

TEST_F(Export, two_exports_of_a_trace_are_the_same_bytes) {
  for (const char* format : {"--perfetto", "--chrome"}) {
    ASSERT_EQ(vitrine({"export", path("trace"), format, path("one")}).status, 0);
    ASSERT_EQ(vitrine({"export", path("trace"), format, path("two")}).status, 0);
    EXPECT_EQ(contents(path("one")), contents(path("two")));
  }
}

TEST_F(Export, a_target_that_can_not_be_written_is_one_clear_line) {
  expect_one_line(vitrine({"export", path("trace")}), "--perfetto FILE, --chrome FILE or --ctf DIR");
  expect_one_line(vitrine({"export", path("trace"), "--chrome", path("none/deeper")}), "its directory does not exist");
  expect_one_line(vitrine({"export", path("trace"), "--perfetto", path("trace")}), "it is the trace itself");
  expect_one_line(vitrine({"export", path("trace"), "--perfetto", "/dev/full"}), "the disk is full");
  expect_one_line(vitrine({"export", path("trace"), "--ctf", path("trace")}), "it exists and is not a directory");
  expect_one_line(vitrine({"export", path("trace"), "--ctf", path("")}), "it is not empty");
  EXPECT_GT(contents(path("trace")).size(), 0u) << "and the trace is still there";
}

TEST_F(Export, a_cut_off_trace_is_converted_as_far_as_it_goes) {
  std::filesystem::resize_file(path("trace"), std::filesystem::file_size(path("trace")) / 2);
  const Result result = vitrine({"export", path("trace"), "--perfetto", path("perfetto")});
  EXPECT_EQ(result.status, 66);
  expect_one_line(result, "in the middle of a block");
  perfetto::Trace trace;
  ASSERT_TRUE(trace.ParseFromString(contents(path("perfetto"))));
  EXPECT_EQ(Picture(trace).unbalanced, 0u);
}

}  // namespace
}  // namespace vitrine
