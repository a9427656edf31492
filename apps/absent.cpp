#include <memory>

#include "apps/commands.hpp"
#include "apps/status.hpp"

namespace vitrine {

std::vector<Command> add_absent_commands(CLI::App& parent) {
  struct Absent {
    const char *name, *purpose;
  };
  static constexpr Absent absent[] = {
      {"why", "Why an interrupt did not arrive (not there yet)"},
  };
  std::vector<Command> commands;
  for (const auto& [name, purpose] : absent) {
    CLI::App* app = parent.add_subcommand(name, purpose);
    app->allow_extras();
    commands.push_back({app, [command = std::string(name)] {
                          return complain(status::usage,
                                          fmt::format("`vitrine {}` is not there yet; this version has run, "
                                                      "report, show, check and export",
                                                      command));
                        }});
  }
  return commands;
}

}  // namespace vitrine
