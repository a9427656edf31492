#include "tools/check_house/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vitrine::tools {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct IncludeRow {
  const char* file;
  const char* source;
  bool allowed;
};

class Includes : public testing::TestWithParam<IncludeRow> {};

TEST_P(Includes, follow_the_table_of_rooms) {
  EXPECT_EQ(check_includes(GetParam().file, GetParam().source).empty(), GetParam().allowed)
      << GetParam().file << ": " << GetParam().source;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Includes,
    testing::Values(
        // Downwards, and inside one's own room.
        IncludeRow{"machine/core/bus.hpp", "#include \"base/types.hpp\"\n", true},
        IncludeRow{"machine/core/bus.cpp", "#include \"machine/core/bus.hpp\"\n", true},
        IncludeRow{"machine/cpu/cpu.cpp", "#include \"machine/core/bus.hpp\"\n", true},
        IncludeRow{"machine/boards/pc.cpp", "#include \"machine/devices/pic8259/pic8259.hpp\"\n", true},
        IncludeRow{"observe/report.cpp", "#include \"machine/cpu/state.hpp\"\n", true},
        // Upwards or sideways.
        IncludeRow{"base/types.hpp", "#include \"machine/core/bus.hpp\"\n", false},
        IncludeRow{"machine/core/bus.cpp", "#include \"machine/cpu/cpu.hpp\"\n", false},
        IncludeRow{"machine/cpu/cpu.cpp", "#include \"machine/devices/pic8259/pic8259.hpp\"\n", false},
        IncludeRow{"machine/cpu/cpu.cpp", "#include \"machine/jit/jit.hpp\"\n", false},
        IncludeRow{"machine/boards/pc.cpp", "#include \"observe/report.hpp\"\n", false},
        IncludeRow{"observe/report.cpp", "#include \"machine/boards/machine.hpp\"\n", false},
        IncludeRow{"host/terminal.cpp", "#include \"machine/cpu/cpu.hpp\"\n", false},
        IncludeRow{"kernel/main.cpp", "#include \"machine/core/bus.hpp\"\n", false},
        // A chip sees itself and what all chips share.
        IncludeRow{"machine/devices/pit/pit.cpp", "#include \"machine/devices/pit/pit.hpp\"\n", true},
        IncludeRow{"machine/devices/pit/pit_test.cpp", "#include \"machine/devices/device_suite.hpp\"\n", true},
        IncludeRow{"machine/devices/pit/pit.cpp", "#include \"machine/devices/pic/pic.hpp\"\n", false},
        // Paths are from the root.
        IncludeRow{"machine/core/bus.cpp", "#include \"bus.hpp\"\n", false},
        IncludeRow{"elsewhere/file.cpp", "", false},
        // The outside world.
        IncludeRow{"machine/core/bus.cpp", "#include <vector>\n", true},
        IncludeRow{"machine/core/bus.cpp", "#include <chrono>\n", false},
        IncludeRow{"machine/core/bus.cpp", "#include <thread>\n", false},
        IncludeRow{"machine/core/bus.cpp", "  #  include <sys/mman.h>\n", false},
        IncludeRow{"machine/core/bus_test.cpp", "#include <random>\n", true},
        IncludeRow{"machine/core/bus_test.cpp", "#include <unistd.h>\n", false},
        IncludeRow{"host/terminal.cpp", "#include <termios.h>\n", true},
        IncludeRow{"apps/run.cpp", "#include <csignal>\n", true}));

TEST(IncludeFindings, say_file_line_and_rule) {
  EXPECT_THAT(check_includes("machine/core/bus.cpp", "// text\n#include \"machine/cpu/cpu.hpp\"\n"),
              ElementsAre(AllOf(Field(&Finding::file, "machine/core/bus.cpp"), Field(&Finding::line, 2),
                                Field(&Finding::text, HasSubstr("machine/core may not include machine/cpu")))));
}

const Files& tree() {
  static const Files files = {"README.md", "docs/speed.md", "machine/core/bus.hpp", "tools/setup.sh"};
  return files;
}

TEST(Documents, may_name_files_and_folders_of_the_tree) {
  EXPECT_THAT(
      check_paths("README.md", "`machine/core/bus.hpp`, `machine/core`, `machine/` [speed](docs/speed.md)", tree()),
      IsEmpty());
}

TEST(Documents, that_name_what_is_gone_are_found) {
  EXPECT_THAT(check_paths("README.md", "text\n`machine/core/gone.hpp` and `tools/gone`\n", tree()),
              ElementsAre(AllOf(Field(&Finding::line, 2), Field(&Finding::text, HasSubstr("machine/core/gone.hpp"))),
                          Field(&Finding::text, HasSubstr("tools/gone"))));
}

TEST(Documents, links_are_relative_to_the_document) {
  EXPECT_THAT(check_paths("docs/speed.md", "[a](../README.md) [b](../README.md#part) [c](#here)", tree()), IsEmpty());
  EXPECT_THAT(check_paths("docs/speed.md", "[a](README.md)", tree()), SizeIs(1));
}

TEST(Documents, other_peoples_paths_and_what_a_build_makes_are_let_pass) {
  EXPECT_THAT(check_paths("README.md",
                          "`/proc/interrupts` `text/plain` `build/vitrine` `.guests/linux/vmlinuz` "
                          "`machine/devices/<chip>/` [site](https://example.org/a)",
                          tree()),
              IsEmpty());
}

TEST(Documents, fenced_blocks_are_let_pass) {
  EXPECT_THAT(check_paths("README.md", "```\n`tools/gone`\n```\n", tree()), IsEmpty());
}

}  // namespace
}  // namespace vitrine::tools
