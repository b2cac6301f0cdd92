#include "storage/image/canonical_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

#include "storage/image/names.h"
#include "storage/limits.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

std::string Sentence(const absl::Status& status) { return std::string(status.message()); }

TEST(StoredName, WritesHostsSoThatTheGrammarTakesThem) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"debian", "debian"},
      {"team/app", "team/app"},
      {"reg:5000/z/z", "reg__5000/z/z"},
      {"127.0.0.1:80/a", "127.0.0.1__80/a"},
      {"Reg.Example.COM/team/app", "reg.example.com/team/app"},
      {"Reg-A:65535/a", "reg-a__65535/a"},
      {"LOCALHOST/a", "localhost/a"},
      {"reg__5000/z/z", "reg__5000/z/z"},  // as the store has it
      {"docker.io/library/debian", "docker.io/library/debian"},
  };
  for (const auto& [typed, stored] : cases) {
    const absl::StatusOr<std::string> name = StoredName(typed);
    ASSERT_TRUE(name.ok()) << typed << ": " << name.status();
    EXPECT_EQ(*name, stored) << typed;
    EXPECT_TRUE(ValidateRepositoryName(*name).ok()) << typed;
  }
}

TEST(StoredName, RefusesWhatNoNameCanBe) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"[::1]:5000/a", "an IPv6 address cannot be the host"},
      {"[::1]/a", "an IPv6 address cannot be the host"},
      {"reg:0/a", "number from 1 to 65535"},
      {"reg:65536/a", "number from 1 to 65535"},
      {"reg:05000/a", "number from 1 to 65535"},  // else one registry would have two names
      {"reg:/a", "number from 1 to 65535"},
      {"reg:5000:1/a", "number from 1 to 65535"},
      {"reg:99999999999999999999/a", "number from 1 to 65535"},
      {"my_reg:5000/a", "the host of a registry is made of"},
      {":5000/a", "the host of a registry is made of"},
      {"-reg:5000/a", "components joined by '/'"},
      {"reg:5000/", "components joined by '/'"},
      {"reg:5000/App", "components joined by '/'"},
      {"Team/app", "components joined by '/'"},  // no host: it has no dot
      {"", "is empty"},
  };
  for (const auto& [typed, reason] : cases) {
    EXPECT_THAT(Sentence(StoredName(typed).status()), HasSubstr(std::string(reason))) << typed;
  }
  const std::string longest = "reg:5000/" + std::string(kMaxRepositoryNameBytes - 10, 'a');
  EXPECT_TRUE(StoredName(longest).ok());
  EXPECT_FALSE(StoredName(longest + "a").ok());  // the mark is one byte longer than the colon
}

TEST(StoredName, AHostAloneHasTheSameForm) {
  EXPECT_EQ(*StoredHost("127.0.0.1:5000"), "127.0.0.1__5000");
  EXPECT_EQ(*StoredHost("Registry.Example.com"), "registry.example.com");
  EXPECT_FALSE(StoredHost("[::1]:5000").ok());
  EXPECT_FALSE(StoredHost("").ok());
  EXPECT_FALSE(StoredHost("*").ok());
}

TEST(ShownName, IsReversible) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"reg__5000/z/z", "reg:5000/z/z"},
      {"127.0.0.1__80/a", "127.0.0.1:80/a"},
      {"reg.example.com/a", "reg.example.com/a"},
      {"a__b/c", "a__b/c"},              // no port
      {"reg__05000/a", "reg__05000/a"},  // which a port never is written as
      {"reg__70000/a", "reg__70000/a"},
      {"my_reg__5000/a", "my_reg__5000/a"},  // which no host is called
      {"a__1__2/c", "a__1__2/c"},
      {"reg__5000", "reg__5000"},  // no host: nothing follows
      {"team/app__1", "team/app__1"},
  };
  for (const auto& [stored, shown] : cases) {
    EXPECT_EQ(ShownName(stored), shown);
    const absl::StatusOr<std::string> again = StoredName(shown);
    ASSERT_TRUE(again.ok()) << shown << ": " << again.status();
    EXPECT_EQ(*again, stored);
  }
}

TEST(CanonicalName, LeavesOutWhatDoesNotTellImagesApart) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"debian", "debian"},
      {"library/debian", "debian"},
      {"docker.io/library/debian", "debian"},
      {"index.docker.io/library/debian", "debian"},
      {"docker.io/debian", "debian"},
      {"docker.io/me/app", "me/app"},
      {"localhost/app", "app"},
      {"localhost/library/app", "app"},
      {"localhost/docker.io/library/app", "app"},
      {"library/team/app", "library/team/app"},  // not alone
      {"team/library/app", "team/library/app"},
      {"library", "library"},
      {"docker.io", "docker.io"},
      {"localhost", "localhost"},
      {"docker.io/library", "library"},
      {"quay.io/library/app", "quay.io/library/app"},
      {"quay.io/team/app", "quay.io/team/app"},
      {"localhost__5000/app", "localhost__5000/app"},
      {"docker.io__443/app", "docker.io__443/app"},
      {"mydocker.io/app", "mydocker.io/app"},
  };
  for (const auto& [stored, canonical] : cases) {
    EXPECT_EQ(CanonicalName(stored), canonical);
    EXPECT_EQ(CanonicalName(canonical), canonical);
  }
}

TEST(CanonicalName, LeavesOutTheStoresOwnHosts) {
  const std::string own[] = {"127.0.0.1__5000", "registry.example.com"};
  EXPECT_EQ(CanonicalName("127.0.0.1__5000/app", own), "app");
  EXPECT_EQ(CanonicalName("registry.example.com/library/app", own), "app");
  EXPECT_EQ(CanonicalName("registry.example.com", own), "registry.example.com");
  EXPECT_EQ(CanonicalName("team/registry.example.com/app", own), "team/registry.example.com/app");
  EXPECT_EQ(CanonicalName("127.0.0.1__5001/app", own), "127.0.0.1__5001/app");
  EXPECT_EQ(CanonicalName("registry.example.com/app"), "registry.example.com/app");
}

}  // namespace
}  // namespace varve
