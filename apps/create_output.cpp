#include "apps/create_output.hpp"

#include "apps/status.hpp"

namespace vitrine {

bool create_output(const char* option, const std::string& path, OutputFile& into, int& exit_status) {
  if (path.empty()) return true;
  auto file = OutputFile::create(path);
  if (!file) {
    exit_status = complain(status::no_input, fmt::format("{}: can't write '{}': {}", option, path, file.error()));
    return false;
  }
  into = std::move(*file);
  return true;
}

}  // namespace vitrine
