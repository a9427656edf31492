#include "observe/check/artifact_uris.hpp"

#include <gtest/gtest.h>

namespace vitrine {
namespace {

TEST(ArtifactUris, are_relative_below_the_base_and_absolute_elsewhere) {
  struct Row {
    const char *base, *path, *uri;
    bool below;
  };
  constexpr Row rows[] = {
      {"/home/me", "/home/me/kernel/kbd.c", "kernel/kbd.c", true},
      {"/home/me/", "/home/me/kernel/kbd.c", "kernel/kbd.c", true},
      {"/home/me", "build/kernel.elf", "build/kernel.elf", true},
      {"/home/me", "./build//../kernel.elf", "kernel.elf", true},
      {"/home/me", "/home/me/build/../my kernel/a:b%.c", "my%20kernel/a%3Ab%25.c", true},
      {"/home/me", "/home/me2/kbd.c", "file:///home/me2/kbd.c", false},
      {"/home/me", "../you/kbd.c", "file:///home/you/kbd.c", false},
      {"/home/me", "/usr/src/linux/../kbd.c", "file:///usr/src/kbd.c", false},
      {"/", "/usr/kbd.c", "usr/kbd.c", true},
      {"", "/usr/kbd.c", "file:///usr/kbd.c", false},
      {"", "../build/kernel.elf", "build/kernel.elf", true},
      {"/home/me", "caf\xC3\xA9.c", "caf%C3%A9.c", true},
  };
  for (const Row& row : rows) {
    const ArtifactUris::Uri uri = ArtifactUris(row.base).of(row.path);
    EXPECT_EQ(uri.text, row.uri) << row.base << " and " << row.path;
    EXPECT_EQ(uri.below_base, row.below) << row.base << " and " << row.path;
  }
}

TEST(ArtifactUris, the_base_ends_with_a_slash_and_is_absent_if_unknown) {
  EXPECT_EQ(ArtifactUris("/home/my kernel").base_uri(), "file:///home/my%20kernel/");
  EXPECT_EQ(ArtifactUris("/").base_uri(), "file:///");
  EXPECT_EQ(ArtifactUris("").base_uri(), "");
}

}  // namespace
}  // namespace vitrine
