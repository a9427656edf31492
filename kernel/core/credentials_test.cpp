#include "kernel/core/credentials.hpp"

#include <gtest/gtest.h>

namespace {

using namespace pulse;

Credentials user(u32 id, u32 group) { return {.user = {id, id, id}, .group = {group, group, group}, .groups = {}}; }

struct Row {
  u32 user, group, mode, wanted;
  bool may;
};

TEST(Credentials, the_first_class_that_fits_decides) {
  constexpr u32 owner = 7, group = 8;
  for (const Row& row : {Row{7, 1, 0400, permission::read, true}, Row{7, 1, 0044, permission::read, false},
                         Row{7, 8, 0070, permission::read, false}, Row{9, 8, 0040, permission::read, true},
                         Row{9, 8, 0004, permission::read, false}, Row{9, 9, 0004, permission::read, true},
                         Row{9, 9, 0004, permission::read | permission::write, false},
                         Row{0, 0, 0000, permission::read | permission::write, true},
                         Row{0, 0, 0666, permission::execute, false}, Row{0, 0, 0001, permission::execute, true}}) {
    EXPECT_EQ(may(user(row.user, row.group), {row.mode, owner, group}, row.wanted, false), row.may)
        << row.user << ' ' << row.group << ' ' << row.mode;
  }
  EXPECT_TRUE(may(user(0, 0), {0, owner, group}, permission::execute, true)) << "root enters every directory";
}

TEST(Credentials, supplementary_groups_count) {
  Credentials who = user(9, 9);
  who.groups = {3, 8};
  EXPECT_TRUE(may(who, {0040, 7, 8}, permission::read, false));
}

TEST(Credentials, in_a_sticky_directory_only_owners_take_names_away) {
  const Ownership directory{01777, 0, 0}, file{0666, 7, 7};
  EXPECT_TRUE(may_take_away(user(7, 7), directory, file));
  EXPECT_TRUE(may_take_away(user(0, 0), directory, file));
  EXPECT_FALSE(may_take_away(user(8, 8), directory, file));
  EXPECT_TRUE(may_take_away(user(8, 8), {0777, 0, 0}, file));
}

TEST(Credentials, a_signal_needs_the_targets_real_or_saved_user) {
  Credentials target = user(7, 7);
  EXPECT_TRUE(may_signal(user(0, 0), target));
  EXPECT_TRUE(may_signal(user(7, 7), target));
  EXPECT_FALSE(may_signal(user(8, 8), target));
  target.user.effective = 8;
  EXPECT_FALSE(may_signal(user(8, 8), target)) << "the effective one does not count";
  EXPECT_FALSE(may_signal(user(7, 7), user(0, 0)));
}

}  // namespace
