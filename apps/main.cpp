#include "apps/commands.hpp"
#include "host/file.hpp"

int main(int count, char** arguments) {
  vitrine::prepare_standard_streams();
  return vitrine::run_program({arguments + 1, arguments + count});
}
