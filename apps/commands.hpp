// The subcommands. Each adds itself to the command line, and gives back what runs when it was chosen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace vitrine {

struct Command {
  CLI::App* app = nullptr;
  std::function<int()> execute;  ///< returns the exit status
};

Command add_run_command(CLI::App& parent);
Command add_report_command(CLI::App& parent);
Command add_show_command(CLI::App& parent);
Command add_why_command(CLI::App& parent);
Command add_check_command(CLI::App& parent);
Command add_export_command(CLI::App& parent);

/// The whole program: parses, runs, returns the exit status.
int run_program(std::vector<std::string> arguments);

}  // namespace vitrine
