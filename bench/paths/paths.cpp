// make bench: how many instructions Pulse and Debian's Linux need from a cause to its effect, counted on the same
// machine by the same program. --functions PATH says for one of the paths which functions need them.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>
#include <string>

#include "tools/path_meter/measure_kernel.hpp"

namespace {

using namespace vitrine;
using namespace vitrine::paths;

struct Options {
  std::string pulse, linux_kernel, initrd, program, functions, markdown;
  std::size_t sample = 8;
};

std::string row_of_stages(const std::string& kernel, const Sample& sample) {
  std::string row = fmt::format("| | {} | {} |", kernel, sample.total);
  for (const u64 count : sample.by_stage) row += count != 0 ? fmt::format(" {} |", count) : " - |";
  return row + "\n";
}

std::string markdown_of(const Samples& pulse, const Samples& other) {
  std::string text = "| Path | Pulse | Linux | Linux : Pulse |\n|---|---|---|---|\n";
  std::string table = "| Path | Kernel | all |";
  for (std::size_t i = 0; i < stages; ++i) table += fmt::format(" {} |", name_of(static_cast<Stage>(i)));
  table += "\n|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& [name, samples] : pulse) {
    if (name == "marks") continue;
    const Sample ours = median_of(samples);
    const auto found = other.find(name);
    table += fmt::format("| {} | | | | | | | | | |\n", name) + row_of_stages("Pulse", ours);
    if (found == other.end() || ours.total == 0) {
      text += fmt::format("| {} | {} | - | - |\n", name, ours.total);
      continue;
    }
    const Sample theirs = median_of(found->second);
    text += fmt::format("| {} | {} | {} | {:.1f} |\n", name, ours.total, theirs.total,
                        static_cast<double>(theirs.total) / static_cast<double>(ours.total));
    table += row_of_stages("Linux", theirs);
  }
  return text + "\nMedians. Where the instructions go:\n\n" + table;
}

/// Between the two lines that say "paths: begin" and "paths: end".
bool put_between_marks(const std::string& path, const std::string& text) {
  std::ifstream file(path);
  std::string all(std::istreambuf_iterator<char>(file), {});
  const std::string begin = "<!-- paths: begin -->\n";
  const std::string end = "<!-- paths: end -->";
  const std::size_t from = all.find(begin);
  const std::size_t to = all.find(end);
  if (from == std::string::npos || to == std::string::npos) return false;
  all.replace(from + begin.size(), to - from - begin.size(), "\n" + text + "\n");
  std::ofstream(path) << all;
  return true;
}

int run(const Options& options) {
  KernelRun pulse{.kernel = options.pulse,
                  .initrd = options.initrd,
                  .program = options.program,
                  .functions_of = options.functions,
                  .functions_sample = options.sample};
  KernelRun other = pulse;
  other.kernel = options.linux_kernel;
  Samples found[2];
  for (const bool is_linux : {false, true}) {
    if (is_linux && options.linux_kernel.empty()) continue;
    const auto paths = measure(is_linux ? other : pulse);
    if (!paths) {
      fmt::print(stderr, "paths: {} did not come to the end:\n{}\n", is_linux ? "Linux" : "Pulse", paths.error());
      return 1;
    }
    for (const auto& [function, count] : paths->functions) fmt::print("{:>6}  {}\n", count, function);
    found[is_linux ? 1 : 0] = paths->samples;
  }
  const std::string text = markdown_of(found[0], found[1]);
  fmt::print("{}", text);
  if (options.markdown.empty() || put_between_marks(options.markdown, text)) return 0;
  fmt::print(stderr, "paths: {} has no lines 'paths: begin' and 'paths: end'\n", options.markdown);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Instructions from a cause to its effect, on Pulse and on Linux");
  Options options;
  app.add_option("--pulse", options.pulse)->required();
  app.add_option("--linux", options.linux_kernel);
  app.add_option("--initrd", options.initrd)->required();
  app.add_option("--program", options.program, "the ELF file of path-lengths")->required();
  app.add_option("--functions", options.functions, "a path: its instructions by function");
  app.add_option("--sample", options.sample, "which of that path's samples");
  app.add_option("--markdown", options.markdown, "a document to put the tables into")->envname("BENCH_MARKDOWN");
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
