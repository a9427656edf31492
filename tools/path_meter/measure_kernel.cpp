#include "tools/path_meter/measure_kernel.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "machine/cpu/cpu.hpp"
#include "observe/linux/linux_kernel.hpp"
#include "tools/path_meter/elf_names.hpp"
#include "tools/path_meter/kernel_stages.hpp"

namespace vitrine::paths {

namespace {

constexpr u64 longest_run = 60'000'000'000;

std::vector<u8> contents_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class Printed final : public Outputs {
 public:
  void byte_out(Channel channel, u8 byte) override {
    if (channel == Channel::Com1) text += static_cast<char>(byte);
  }
  std::string text;
};

std::vector<NamedAddress> functions_of_linux(const Cpu& cpu) {
  std::vector<NamedAddress> functions;
  const auto kernel = find_linux_kernel(cpu);
  if (!kernel) return functions;
  for (const KernelSymbols::Symbol& symbol : kernel->symbols.all()) {
    const bool is_code = symbol.type == 't' || symbol.type == 'T' || symbol.type == 'W' || symbol.type == 'w';
    if (is_code) functions.push_back({symbol.address, symbol.name});
  }
  std::ranges::sort(functions, {}, &NamedAddress::address);
  return functions;
}

const NamedAddress* function_at(const std::vector<NamedAddress>& functions, u64 address) {
  const auto behind = std::ranges::upper_bound(functions, address, {}, &NamedAddress::address);
  return behind == functions.begin() ? nullptr : &*std::prev(behind);
}

}  // namespace

std::expected<KernelPaths, std::string> measure(const KernelRun& run) {
  const std::vector<u8> kernel = contents_of(run.kernel);
  const std::vector<u8> initrd = contents_of(run.initrd);
  const std::vector<NamedAddress> program = functions_of(contents_of(run.program));
  const auto mark = std::ranges::find(program, "path_mark", &NamedAddress::name);
  if (kernel.empty() || initrd.empty() || mark == program.end())
    return std::unexpected("one of " + run.kernel + ", " + run.initrd + " and " + run.program + " can't be used");

  Printed printed;
  auto machine = Machine::create({.outputs = &printed});
  if (!machine) return std::unexpected("no machine");
  const auto booted = (*machine)->boot({.image = kernel,
                                        .image_name = run.kernel,
                                        .initrd = initrd,
                                        .initrd_name = run.initrd,
                                        .command_line = "console=ttyS0 quiet loglevel=3 measure=path-lengths"});
  if (!booted) return std::unexpected(booted.error().message);

  PathMeter meter(**machine, mark->address);
  std::vector<NamedAddress> functions = functions_of(kernel);
  meter.find_stages = [&](const Cpu& cpu) {
    if (!functions.empty()) return stages_of_pulse(functions);
    functions = functions_of_linux(cpu);
    return stages_of_linux(functions);
  };
  std::map<std::string, u64> counts;
  if (!run.functions_of.empty()) {
    meter.traced_path = run.functions_of;
    meter.traced_sample = run.functions_sample;
    meter.trace = [&](u64 address) {
      const bool is_program = address < u64{1} << 47;
      const NamedAddress* const function = is_program ? nullptr : function_at(functions, address);
      ++counts[function != nullptr ? function->name : "(the program)"];
    };
  }
  if (!meter.run(Tick(longest_run))) return std::unexpected(printed.text);

  KernelPaths found{.samples = meter.samples()};
  found.functions.assign(counts.begin(), counts.end());
  std::ranges::sort(found.functions, std::greater{}, &std::pair<std::string, u64>::second);
  return found;
}

Sample median_of(std::vector<Sample> samples) {
  if (samples.empty()) return {};
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::ranges::nth_element(samples, middle, {}, &Sample::total);
  return *middle;
}

}  // namespace vitrine::paths
