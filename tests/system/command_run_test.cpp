// The end of every run: its status, its sentence, and its outputs, which may fail.
#include <nlohmann/json.hpp>

#include "tests/system/command_bench.hpp"

namespace vitrine::tests {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

TEST_F(Command, every_end_of_a_run_has_its_status) {
  struct Case {
    std::string code;
    std::vector<std::string> options;
    int status;
    std::string sentence;
  };
  const std::vector<Case> cases = {
      {print("hello READY\n") + loop_forever, {"--until", "READY", "--max-time", "1s"}, 0, "printed \"READY\""},
      {print("READY", 0xE9) + loop_forever, {"--until", "READY", "--max-time", "1s"}, 0, "printed \"READY\""},
      {write_f4, {}, 33, "wrote 0x10 to port 0xF4"},
      {loop_forever, {"--max-time", "1ms"}, 80, "time of 1.000 ms"},
      {loop_forever, {"--max-instructions", "5000"}, 80, "5,000 instructions"},
      {triple_fault, {}, 81, "riple fault"},
      {halt_forever, {}, 83, "halted for good"},
      {reset, {}, 0, "asked for a reset"},
  };
  for (const Case& each : cases) {
    std::vector<std::string> arguments = {"run", file("kernel", multiboot(each.code))};
    arguments.insert(arguments.end(), each.options.begin(), each.options.end());
    const Result result = run(arguments);
    EXPECT_EQ(result.status, each.status) << each.sentence << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(each.sentence));
  }
}

TEST_F(Command, a_triple_fault_is_explained) {
  const Result result = run({"run", file("kernel", multiboot(triple_fault))});
  EXPECT_THAT(result.err, AllOf(HasSubstr("#BP (breakpoint)"), HasSubstr("past the limit of the IDT"),
                                HasSubstr("int3"), HasSubstr("32-bit protected mode")));
}

TEST_F(Command, serial_output_goes_where_it_is_told) {
  const std::string kernel = file("kernel", multiboot(print("hello\n") + wait_20_ms + write_f4));
  EXPECT_EQ(run({"run", kernel}).out, "hello\n");
  EXPECT_EQ(run({"run", kernel, "--serial", "none"}).out, "");
  const std::string path = folder_.path / "serial";
  EXPECT_EQ(run({"run", kernel, "--serial", "file:" + path}).out, "");
  EXPECT_EQ(contents_of(path), "hello\n");
}

TEST_F(Command, what_we_say_starts_on_a_line_of_its_own_where_both_outputs_meet) {
  const std::string kernel = file("kernel", multiboot(print("READY") + loop_forever));
  const std::string run_it = std::string(VITRINE_COMMAND) + " run " + kernel + " --until READY";
  const Result together = vitrine::tests::run({"bash", "-c", run_it + " 2>&1"});
  EXPECT_THAT(together.out, testing::StartsWith("READY\nvitrine: The guest printed"));
  const Result apart = vitrine::tests::run({"bash", "-c", run_it});
  EXPECT_EQ(apart.out, "READY");
}

TEST_F(Command, live_without_a_terminal_is_one_line_and_changes_nothing) {
  const std::string kernel = file("kernel", multiboot(write_f4));
  const Result result = run({"run", kernel, "--live"});
  EXPECT_EQ(result.status, 33);
  EXPECT_THAT(result.err, testing::StartsWith("vitrine: --live does nothing here"));
  EXPECT_EQ(std::ranges::count(result.err, '\n'), 2) << result.err;
}

TEST_F(Command, outputs_that_fail_end_the_run_with_status_70) {
  const std::string kernel = file("kernel", multiboot(print("hello\n") + loop_forever));
  for (const Stdout kind : {Stdout::Closed, Stdout::Full, Stdout::ClosedPipe}) {
    const Result result = run({"run", kernel, "--max-time", "10s"}, {.standard_output = kind});
    EXPECT_EQ(result.status, 70);
    expect_one_line(result);
    EXPECT_THAT(result.err, HasSubstr("standard output"));
  }
  EXPECT_EQ(run({"run", kernel, "--max-time", "1ms", "--trace", "/dev/full"}).status, 70);
  EXPECT_EQ(run({"run", kernel, "--max-time", "1ms", "--report=/dev/full"}).status, 70);
}

TEST_F(Command, a_silent_guest_does_not_need_a_standard_output) {
  const std::string kernel = file("kernel", multiboot(write_f4));
  EXPECT_EQ(run({"run", kernel}, {.standard_output = Stdout::Closed}).status, 33);
}

TEST_F(Command, without_a_standard_error_statuses_and_traces_are_the_same) {
  const std::string kernel = file("kernel", multiboot(triple_fault));
  const std::string trace = folder_.path / "trace";
  for (const Stderr kind : {Stderr::Closed, Stderr::Full}) {
    EXPECT_EQ(run({"run", kernel, "--trace", trace}, {.standard_error = kind}).status, 81);
    EXPECT_EQ(run({"report", trace}).status, 0);
    EXPECT_EQ(run({"run", folder_.path / "absent"}, {.standard_error = kind}).status, 66);
    EXPECT_EQ(run({"nonsense"}, {.standard_error = kind}).status, 64);
  }
}

TEST_F(Command, two_runs_write_the_same_trace_and_a_report_can_be_had_from_it) {
  const std::string kernel = file("kernel", multiboot(print("x") + loop_forever));
  const std::string first = folder_.path / "first";
  const std::string second = folder_.path / "second";
  const std::string json = folder_.path / "report.json";
  EXPECT_EQ(run({"run", kernel, "--max-time", "100ms", "--trace", first, "--report=" + json}).status, 80);
  EXPECT_EQ(run({"run", kernel, "--max-time", "100ms", "--trace", second}).status, 80);
  EXPECT_EQ(contents_of(first), contents_of(second));
  const Result report = run({"report", first, "--json"});
  EXPECT_EQ(report.status, 0);
  EXPECT_EQ(report.out, contents_of(json));
  EXPECT_EQ(nlohmann::json::parse(report.out)["end"]["reason"], "time");
  EXPECT_EQ(run({"show", first}).status, 0);
}

TEST_F(Command, a_cut_off_trace_is_reported_as_far_as_it_goes_with_status_66) {
  const std::string kernel = file("kernel", multiboot(loop_forever));
  const fs::path trace = folder_.path / "trace";
  run({"run", kernel, "--max-time", "100ms", "--trace", trace});
  fs::resize_file(trace, fs::file_size(trace) - 3);
  const Result result = run({"report", trace});
  EXPECT_EQ(result.status, 66);
  EXPECT_THAT(result.out, HasSubstr("Interrupt report"));
  EXPECT_THAT(result.err, HasSubstr("in the middle of a block"));
}

TEST_F(Command, ctrl_c_ends_the_run_and_the_report_still_comes) {
  const std::string kernel = file("kernel", multiboot(print("x") + loop_forever));
  const Result result = run({"run", kernel, "--report"}, {.signal_after_ms = 20});
  EXPECT_EQ(result.status, 130);
  EXPECT_THAT(result.err, AllOf(HasSubstr("Ctrl-C"), HasSubstr("Interrupt report")));
}

}  // namespace
}  // namespace vitrine::tests
