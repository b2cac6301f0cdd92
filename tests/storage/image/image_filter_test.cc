#include "storage/image/image_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "storage/base/str_cat.h"
#include "storage/limits.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr TimeReference kReference = {1'640'995'200 * kNanosPerSecond, 0};

absl::StatusOr<ImageFilter> Parse(const std::vector<std::string>& filters,
                                  absl::Span<const std::string_view> keys = ListFilterKeys()) {
  return ParseImageFilter(filters, keys, kReference);
}

ImageFilter Parsed(const std::vector<std::string>& filters) {
  absl::StatusOr<ImageFilter> filter = Parse(filters);
  EXPECT_TRUE(filter.ok()) << filter.status();
  return filter.ok() ? *std::move(filter) : ImageFilter();
}

std::string Refusal(const std::vector<std::string>& filters,
                    absl::Span<const std::string_view> keys = ListFilterKeys()) {
  const absl::StatusOr<ImageFilter> filter = Parse(filters, keys);
  EXPECT_EQ(filter.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(ToStd(filter.status().message()));
}

bool Globs(std::string_view pattern, std::string_view text) {
  const absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(pattern);
  EXPECT_TRUE(glob.ok()) << pattern;
  return glob.ok() && glob->Matches(text);
}

TEST(ImageFilterTest, NothingAskedForMatchesEverything) {
  const ImageFilter filter = Parsed({});
  EXPECT_TRUE(filter.MatchesDangling(true));
  EXPECT_TRUE(filter.MatchesDangling(false));
  EXPECT_TRUE(filter.MatchesName("app", "app:v1"));
  EXPECT_TRUE(filter.MatchesTime(0));
  EXPECT_TRUE(filter.MatchesLabels({}));
  EXPECT_FALSE(filter.NeedsLabels());
  EXPECT_FALSE(filter.NeedsTime());
}

TEST(ImageFilterTest, KeyAndValueAreTakenAsDockersClientDoes) {
  EXPECT_EQ(Parsed({"Dangling = true "}).dangling, true);
  EXPECT_EQ(Parsed({" LABEL!=a"}).labels_not.size(), 1u);
  EXPECT_EQ(Refusal({"label"}), "bad format of filter \"label\" (expected name=value)");
  EXPECT_THAT(Refusal({""}), HasSubstr("expected name=value"));
  EXPECT_EQ(Refusal({"foo=bar"}), "invalid filter \"foo\"");
  EXPECT_EQ(Refusal({"=bar"}), "invalid filter \"\"");
  EXPECT_EQ(Refusal({"f\no=1"}), "invalid filter \"f?o\"");
}

TEST(ImageFilterTest, PruneTakesOtherKeys) {
  EXPECT_TRUE(Parse({"label=a", "label!=b", "until=1h", "dangling=true"}, PruneFilterKeys()).ok());
  for (const std::string key : {"before", "since"}) {
    EXPECT_EQ(Refusal({StrCat(key, "=1")}, PruneFilterKeys()),
              StrCat("invalid filter \"", key, "\""));
  }
}

TEST(ImageFilterTest, UnusedForAndKeepLast) {
  const absl::Span<const std::string_view> keys = PruneFilterKeys();
  const auto parsed =
      Parse({"unused-for=1h", "unused-for=2h30m", "keep-last=3", "keep-last=2"}, keys);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->unused_since_nanos, kReference.now_nanos - 9000 * kNanosPerSecond);
  EXPECT_EQ(parsed->keep_last, 3u);
  for (const char* bad :
       {"unused-for=10d", "unused-for=2022-01-01", "unused-for=-1h",
        "unused-for=", "keep-last=", "keep-last=-1", "keep-last=3x", "keep-last=10001"}) {
    EXPECT_FALSE(Parse({bad}, keys).ok()) << bad;
    EXPECT_FALSE(Parse({bad}, ListFilterKeys()).ok()) << bad;
  }
}

TEST(ImageFilterTest, Dangling) {
  for (const std::string value : {"true", "1"}) {
    const ImageFilter filter = Parsed({StrCat("dangling=", value), "dangling=1"});
    EXPECT_TRUE(filter.MatchesDangling(true));
    EXPECT_FALSE(filter.MatchesDangling(false));
  }
  for (const std::string value : {"false", "0"}) {
    EXPECT_FALSE(Parsed({StrCat("dangling=", value)}).MatchesDangling(true));
    EXPECT_TRUE(Parsed({StrCat("dangling=", value)}).MatchesDangling(false));
  }
  for (const std::string value : {"TRUE", "t", "maybe", "", "yes"}) {
    EXPECT_THAT(Refusal({StrCat("dangling=", value)}), HasSubstr("invalid filter 'dangling'"));
  }
  EXPECT_THAT(Refusal({"dangling=true", "dangling=false"}), HasSubstr("dangling=[false true]"));
}

TEST(ImageFilterTest, LabelsMustAllMatch) {
  const ImageLabels labels = {{"a", "1"}, {"b", ""}, {"c", "x=y"}};
  const auto matches = [&](const std::vector<std::string>& filters) {
    return Parsed(filters).MatchesLabels(labels);
  };
  EXPECT_TRUE(matches({"label=a"}));
  EXPECT_TRUE(matches({"label=a=1"}));
  EXPECT_TRUE(matches({"label=b="}));
  EXPECT_TRUE(matches({"label=c=x=y"}));
  EXPECT_TRUE(matches({"label=a", "label=b", "label=c"}));
  EXPECT_FALSE(matches({"label=a="}));
  EXPECT_FALSE(matches({"label=a=2"}));
  EXPECT_FALSE(matches({"label=A"}));
  EXPECT_FALSE(matches({"label=a=*"}));
  EXPECT_FALSE(matches({"label=d"}));
  EXPECT_FALSE(matches({"label=a", "label=d"}));
  EXPECT_FALSE(matches({"label="}));
  EXPECT_FALSE(Parsed({"label=a"}).MatchesLabels({}));
}

TEST(ImageFilterTest, LabelNotRefusesOnlyWhatHasAllOfThem) {
  const ImageLabels labels = {{"a", "1"}, {"b", "2"}};
  const auto matches = [&](const std::vector<std::string>& filters) {
    return Parsed(filters).MatchesLabels(labels);
  };
  EXPECT_FALSE(matches({"label!=a"}));
  EXPECT_FALSE(matches({"label!=a=1"}));
  EXPECT_TRUE(matches({"label!=a=2"}));
  EXPECT_TRUE(matches({"label!=c"}));
  EXPECT_FALSE(matches({"label!=a", "label!=b=2"}));
  EXPECT_TRUE(matches({"label!=a", "label!=c"}));
  EXPECT_TRUE(matches({"label=a", "label!=c"}));
  EXPECT_FALSE(matches({"label=a", "label!=b"}));
  EXPECT_TRUE(Parsed({"label!=a"}).MatchesLabels({}));
}

TEST(ImageFilterTest, Times) {
  constexpr int64_t kNow = kReference.now_nanos;
  const ImageFilter until = Parsed({"until=0s"});
  EXPECT_TRUE(until.NeedsTime());
  EXPECT_TRUE(until.MatchesTime(kNow));
  EXPECT_FALSE(until.MatchesTime(kNow + 1));
  EXPECT_EQ(Parsed({"until=1h", "until=1h"}).until_nanos, kNow - 3600 * kNanosPerSecond);
  EXPECT_EQ(Refusal({"until=1h", "until=2h"}), "more than one until filter specified");
  EXPECT_EQ(Refusal({"until=10d"}), "failed to parse value as time or duration: \"10d\"");

  ImageFilter between = Parsed({"before=app:v2", "since=app:v0", "since=b", "since=b"});
  EXPECT_THAT(between.before, ElementsAre("app:v2"));
  EXPECT_THAT(between.since, ElementsAre("app:v0", "b"));
  between.older_than_nanos = 20;
  between.newer_than_nanos = 10;
  EXPECT_FALSE(between.MatchesTime(10));
  EXPECT_TRUE(between.MatchesTime(11));
  EXPECT_TRUE(between.MatchesTime(19));
  EXPECT_FALSE(between.MatchesTime(20));
}

TEST(ImageFilterTest, ReferencesAreTheRepositoryWithOrWithoutItsTag) {
  const auto matches = [](const std::vector<std::string>& filters) {
    return Parsed(filters).MatchesName("library/debian", "library/debian:12");
  };
  EXPECT_TRUE(matches({"reference=library/debian"}));
  EXPECT_TRUE(matches({"reference=library/debian:12"}));
  EXPECT_TRUE(matches({"reference=library/*:1?"}));
  EXPECT_TRUE(matches({"reference=*/*"}));
  EXPECT_TRUE(matches({"reference=none", "reference=*/debian"}));
  EXPECT_FALSE(matches({"reference=debian"}));
  EXPECT_FALSE(matches({"reference=*"}));
  EXPECT_FALSE(matches({"reference=library/debian:11"}));
  EXPECT_FALSE(matches({"reference=library/DEBIAN"}));
  EXPECT_FALSE(matches({"reference="}));
  EXPECT_EQ(Refusal({"reference=[a"}), "syntax error in pattern");
}

TEST(ImageFilterTest, ReferencesMatchWhatIsStoredAndWhatIsShown) {
  const auto matches = [](const std::string& pattern) {
    return Parsed({"reference=" + pattern}).MatchesName("reg__5000/a/b", "reg__5000/a/b:1");
  };
  for (const char* const pattern : {"reg:5000/a/b", "reg:5000/*/*:1", "reg:*/a/b", "reg__5000/a/b",
                                    "Reg:5000/a/*", "*:5000/a/b:?"}) {
    EXPECT_TRUE(matches(pattern)) << pattern;
  }
  for (const char* const pattern : {"reg:5001/a/b", "reg:5000/a", "a/b", "reg/a/b", "reg:x/*/*"}) {
    EXPECT_FALSE(matches(pattern)) << pattern;
  }
}

TEST(ImageFilterTest, AReferenceMeansItsCanonicalNameToo) {
  const NameRule names{.canonical = true, .own_hosts = {"127.0.0.1__5000"}};
  const auto matches = [&](const std::string& pattern, const NameRule& rule) {
    const std::string filters[] = {"reference=" + pattern};
    const absl::StatusOr<ImageFilter> filter =
        ParseImageFilter(filters, ListFilterKeys(), kReference, rule);
    return filter.ok() && filter->MatchesName("debian", "debian:12");
  };
  for (const char* const pattern :
       {"docker.io/library/deb*", "library/debian:1?", "localhost/debian", "127.0.0.1:5000/d*"}) {
    EXPECT_TRUE(matches(pattern, names)) << pattern;
    EXPECT_FALSE(matches(pattern, {.canonical = false, .own_hosts = {}})) << pattern;
  }
  EXPECT_FALSE(matches("quay.io/debian", names));
  EXPECT_FALSE(matches("127.0.0.1:5001/debian", names));
}

// The cases of Go's own test of path.Match, and a few more.
TEST(GlobPatternTest, MatchesAsGo) {
  const struct {
    std::string_view pattern, text;
    bool matches;
  } kCases[] = {
      {"abc", "abc", true},
      {"*", "abc", true},
      {"*c", "abc", true},
      {"a*", "a", true},
      {"a*", "abc", true},
      {"a*", "ab/c", false},
      {"a*/b", "abc/b", true},
      {"a*/b", "a/c/b", false},
      {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
      {"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
      {"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
      {"a*b*c*d*e*/f", "axbxcxdxexxx/fff", false},
      {"a*b?c*x", "abxbbxdbxebxczzx", true},
      {"a*b?c*x", "abxbbxdbxebxczzy", false},
      {"ab[c]", "abc", true},
      {"ab[b-d]", "abc", true},
      {"ab[e-g]", "abc", false},
      {"ab[^c]", "abc", false},
      {"ab[^b-d]", "abc", false},
      {"ab[^e-g]", "abc", true},
      {"a\\*b", "a*b", true},
      {"a\\*b", "ab", false},
      {"a???b", "axyzb", true},
      {"a?b", "a/b", false},
      {"[a-ce]x", "ex", true},
      {"[a-ce]x", "dx", false},
      {"[\\]a]", "]", true},
      {"[\\-]", "-", true},
      {"[x\\-]", "x", true},
      {"[x\\-]", "-", true},
      {"[x\\-]", "z", false},
      {"[\\-x]", "-", true},
      {"[\\-x]", "a", false},
      {"*x", "xxx", true},
      {"**x", "yx", true},
      {"a*", "", false},
      {"", "", true},
      {"*", "", true},
      {"?", "", false},
      {"a]", "a]", true},
  };
  for (const auto& one : kCases) {
    EXPECT_EQ(Globs(one.pattern, one.text), one.matches) << one.pattern << " " << one.text;
  }
}

TEST(GlobPatternTest, RefusesWhatGoRefuses) {
  for (const std::string_view pattern : {"[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[", "[^",
                                         "[^bc", "a[", "[\\", "[a-\\", "[]", "[^]"}) {
    EXPECT_EQ(GlobPattern::Parse(pattern).status().message(), "syntax error in pattern") << pattern;
  }
}

TEST(GlobPatternTest, TakesNoTimeThatGrowsWithTheNumberOfStars) {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "*a";
  EXPECT_FALSE(Globs(pattern + "b", std::string(4000, 'a')));
  EXPECT_TRUE(Globs(pattern, std::string(4000, 'a')));
}

TEST(ImageFilterTest, Limits) {
  std::vector<std::string> many;
  for (size_t i = 0; i < kMaxFilters; ++i) many.push_back(StrCat("label=l", i));
  EXPECT_TRUE(Parse(many).ok());
  many.push_back("label=more");
  EXPECT_THAT(Refusal(many), HasSubstr("at most 64 filters"));
  EXPECT_TRUE(Parse({StrCat("label=", std::string(kMaxFilterBytes - 6, 'x'))}).ok());
  EXPECT_THAT(Refusal({StrCat("label=", std::string(kMaxFilterBytes - 5, 'x'))}),
              HasSubstr("longer than 4096 bytes"));
}

}  // namespace
}  // namespace varve
