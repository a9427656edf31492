// The command line as a whole: subcommands, help, and the one place where what others throw becomes a status.
#include <algorithm>
#include <new>

#include "apps/commands.hpp"
#include "apps/status.hpp"

namespace vitrine {

namespace {

constexpr const char* main_footer = R"(
Examples:
  vitrine run vmlinuz --initrd initramfs --append "console=ttyS0" --report
  vitrine run kernel.elf --until READY --max-time 10s --trace run.trace
  vitrine report run.trace
  vitrine show run.trace --line 0 --from 1.5s
  vitrine why run.trace --source keyboard
  vitrine export run.trace --perfetto run.perfetto-trace

`vitrine COMMAND --help` tells all options of a command.)";

/// In `vitrine run`, "--report" and "--check" may stand alone or have a value after "="; a word that follows is not
/// theirs. CLI11 would take it, so the value is always given.
std::string with_value(const std::string& argument) {
  return argument == "--report" || argument == "--check" ? argument + "=-" : argument;
}

std::string first_line(std::string text) {
  std::ranges::replace(text, '\n', ' ');
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

int run(std::vector<std::string> arguments) {
  CLI::App app(
      "Vitrine is an x86 PC in a glass case: it runs unmodified kernels, the same way every time, and shows\n"
      "the whole life of every interrupt.",
      "vitrine");
  app.get_formatter()->column_width(34);
  app.set_version_flag("--version", "vitrine " VITRINE_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  app.require_subcommand(0, 1);
  app.footer(main_footer);

  std::vector<Command> commands = {add_run_command(app), add_report_command(app), add_show_command(app),
                                   add_why_command(app), add_check_command(app),  add_export_command(app)};

  if (!arguments.empty() && arguments.front() == "run") {
    std::ranges::transform(arguments, arguments.begin(), with_value);
  }
  std::ranges::reverse(arguments);  // CLI11 takes a vector from its back
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::string where = "vitrine";
    for (const CLI::App* chosen : app.get_subcommands()) where += " " + chosen->get_name();
    return complain(status::usage, fmt::format("{} (see `{} --help`)", first_line(error.what()), where));
  }
  for (const Command& command : commands) {
    if (command.app->parsed()) return command.execute();
  }
  tell("{}", app.help());
  return status::usage;
}

}  // namespace

int run_program(std::vector<std::string> arguments) {
  try {
    return run(std::move(arguments));
  } catch (const std::bad_alloc&) {
    return complain(status::internal, "this computer has not enough free memory for that");
  } catch (const std::exception& error) {
    return complain(status::internal, fmt::format("internal error: {}", error.what()));
  }
}

}  // namespace vitrine
