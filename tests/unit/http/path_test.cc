#include "http/path.h"

#include <gtest/gtest.h>

#include <string>

#include "guarded.h"
#include "vector_file.h"

namespace rw::http {
namespace {

using test::vector_case;

TEST(Path, GivesTheVerdictOfEachVector) {
  test::guarded source;
  test::guarded target;
  for (const vector_case& one : test::read_vectors("paths.txt")) {
    SCOPED_TRACE(one.where);
    const path_rules rules{.keep_encoded_slash = one.says("keep")};
    const std::string_view path = source.hold(one.strings[0]);
    const path_outcome got = normalise(path, rules, target.room(3 * path.size()));
    if (one.words[0] == "refuse") {
      EXPECT_EQ(std::to_string(got.status), one.words[1]);
      EXPECT_EQ(got.reason, one.words[2]);
      continue;
    }
    ASSERT_TRUE(got) << got.reason;
    EXPECT_EQ(got.path, one.strings.back());
    if (one.words[0] == "same") {
      ASSERT_EQ(one.strings.size(), 1U);
      EXPECT_EQ(got.path.data(), path.data()) << "copied for nothing";
    }
    std::string out(3 * got.path.size(), '\0');
    const path_outcome again = normalise(got.path, rules, out);
    ASSERT_TRUE(again) << again.reason;
    EXPECT_EQ(again.path, got.path);
  }
}

TEST(Path, SaysWhenTheRoomIsTooSmall) {
  char room[8];
  EXPECT_EQ(normalise("/a/./bcde", {}, {room, 7}).path, "/a/bcde");
  const path_outcome got = normalise("/a/./bcde", {}, {room, 6});
  EXPECT_EQ(got.status, 414);
  EXPECT_STREQ(got.reason, "path_too_long");
  EXPECT_EQ(normalise("/a|", {}, {room, 5}).path, "/a%7C");
  EXPECT_EQ(normalise("/a|", {}, {room, 4}).status, 414);
  EXPECT_EQ(normalise("//", {}, {room, 0}).status, 414);
  EXPECT_EQ(normalise("/plain", {}, {}).path, "/plain");
}

// The wide look at sixteen octets and the table must agree: each octet at each place of a block.
TEST(Path, EveryOctetAtEveryPlace) {
  test::guarded source;
  for (int octet = 0; octet < 256; ++octet) {
    if (octet == '%') continue;  // what follows it matters
    for (std::size_t place = 1; place < 40; ++place) {
      std::string path(40, 'a');
      path[0] = '/';
      path[place] = static_cast<char>(octet);
      std::string wide_room(200, '\0');
      std::string short_room(200, '\0');
      const path_outcome wide = normalise(source.hold(path), {}, wide_room);
      const char three[] = {'/', static_cast<char>(octet), 'a'};
      const path_outcome narrow = normalise({three, 3}, {}, short_room);
      ASSERT_EQ(wide.status, octet == '/'   ? 0
                             : octet == '.' ? 0
                                            : narrow.status)
          << octet << ' ' << place;
      if (wide && octet != '/') {
        ASSERT_EQ(std::string(wide.path).substr(place, narrow.path.size() - 2),
                  narrow.path.substr(1, narrow.path.size() - 2));
      }
    }
  }
}

}  // namespace
}  // namespace rw::http
