// `varve system`, `varve repo ls` and `varve blob ls` as scripts and people meet them, and the
// client's watch of events over connections that break.
#include <atomic>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "storage/limits.h"
#include "tests/client/varve_command.h"
#include "tests/support/varved_process.h"

namespace varve {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::SizeIs;
using testing::StartsWith;
using Code = absl::StatusCode;

class CliSystemTest : public CommandTest {
 protected:
  static std::vector<std::string> Lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }
  std::vector<std::string> OutputOf(const std::vector<std::string>& arguments) {
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return Lines(outcome.out);
  }
  // Waits until `path` has so many lines.
  std::vector<std::string> WaitForLines(const std::string& path, size_t count) {
    const auto end = steady_clock::now() + std::chrono::seconds(20);
    std::vector<std::string> lines = Lines(ReadFile(path));
    while (lines.size() < count && steady_clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(5));
      lines = Lines(ReadFile(path));
    }
    return lines;
  }
  void AddEvent(const std::string& repository) {
    Event event;
    event.type = Event::Type::kPull;
    event.repository = repository;
    store_->system.events().Add(std::move(event));
  }
};

constexpr char kTime[] = "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9:.]+Z";
constexpr char kAgo[] = "[A-Za-z0-9 ]+ ago .20[0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-9:]+ .0000 UTC.";

TEST_F(CliSystemTest, InfoForPeopleAndForScripts) {
  EXPECT_THAT(
      OutputOf({"system", "info"}),
      ElementsAre(MatchesRegex("Version:  [0-9.]+"), MatchesRegex(std::string("Started:  ") + kAgo),
                  MatchesRegex("Store:    [-0-9a-f]+"),
                  MatchesRegex(std::string("Created:  ") + kAgo), "Format:   2",
                  "Blobs:    0B (no limit but the disk)",
                  MatchesRegex("Disk:     [0-9.]+[kMGTP]?B free of [0-9.]+[kMGTP]?B")));
  EXPECT_THAT(OutputOf({"system", "info", "--json"}),
              ElementsAre(MatchesRegex(
                  "\\{\"version\":\"[0-9.]+\",\"started\":\".+\",\"store_uuid\":\".+\","
                  "\"store_created\":\".+\",\"format_version\":2,\"blob_bytes\":0,\"max_bytes\":0,"
                  "\"disk_total_bytes\":[0-9]+,\"disk_free_bytes\":[0-9]+\\}")));
}

TEST_F(CliSystemTest, InfoAndVersionTakeTemplates) {
  EXPECT_THAT(OutputOf({"info", "-f", "{{.ServerVersion}} {{.FormatVersion}} {{.BlobBytes}}"}),
              ElementsAre(MatchesRegex("[0-9.]+ 2 0")));
  // Ages and free bytes differ from one moment to the next.
  const std::vector<std::string> info = OutputOf({"system", "info"});
  ASSERT_EQ(info.size(), 7u);
  EXPECT_THAT(OutputOf({"info"}), Contains(info[2]));
  EXPECT_THAT(OutputOf({"version"}), ElementsAre("Client:", MatchesRegex(" Version:  [0-9.]+"), "",
                                                 "Server:", MatchesRegex(" Version:  [0-9.]+"),
                                                 MatchesRegex(" Started:  .*Z"),
                                                 MatchesRegex(" Store:    [-0-9a-f]+ .format 2.")));
  EXPECT_THAT(OutputOf({"version", "--format", "{{.Client.Version}}={{.Server.Version}}"}),
              ElementsAre(MatchesRegex("[0-9.]+=[0-9.]+")));
  EXPECT_THAT(
      OutputOf({"version", "--json"}),
      ElementsAre(MatchesRegex("\\{\"Client\":\\{\"Version\":\"[0-9.]+\"\\},\"Server\":.*\\}")));
  StopDaemon();
  const CommandOutcome alone = Run({"version"});
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_THAT(alone.out, StartsWith("Client:\n Version:  "));
  EXPECT_THAT(alone.err, HasSubstr("cannot reach the daemon"));
}

TEST_F(CliSystemTest, ARepositoryIsInspectedByAnyOfItsNames) {
  PutImage("library/debian", {"12", "stable"}, 2);
  EXPECT_THAT(OutputOf({"repo", "inspect", "docker.io/library/debian"}),
              ElementsAre("Repository: debian", "Tags:       2", "Manifests:  1",
                          MatchesRegex("Created:    .* ago \\(20.*\\)")));
  EXPECT_THAT(OutputOf({"repo", "inspect", "--json", "debian", "debian"}),
              Each(StartsWith("{\"repository\":\"debian\",\"tags\":2,\"manifests\":1,")));
  const CommandOutcome absent = Run({"repo", "inspect", "gone", "debian"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("gone"));
  EXPECT_THAT(absent.out, StartsWith("Repository: debian\n")) << "the others are shown";
}

TEST_F(CliSystemTest, ListsTakeTemplates) {
  PutImage("app", {"v1"}, 1);
  PutImage("library/debian", {"12", "stable"}, 2);
  EXPECT_THAT(OutputOf({"repo", "ls", "--format", "{{.Name}} has {{.Tags}}"}),
              ElementsAre("app has 1", "debian has 2"));
  EXPECT_THAT(OutputOf({"repo", "list", "--format", "table {{.Name}}\t{{.Manifests}}"}),
              ElementsAre(MatchesRegex("REPOSITORY +MANIFESTS"), MatchesRegex("app +1"),
                          MatchesRegex("debian +1")));
  EXPECT_EQ(OutputOf({"repo", "ls", "--no-trunc", "--format", "table"}),
            OutputOf({"repo", "ls", "--no-trunc"}));
  EXPECT_THAT(OutputOf({"repo", "ls", "--format", "json"}),
              Contains(StartsWith("{\"Name\":\"app\",\"Tags\":\"1\",")));
  EXPECT_THAT(OutputOf({"blob", "ls", "--format", "{{.KeptIn}}"}), Contains("index"));
  ASSERT_EQ(Run({"lease", "create", "--id", "l1", "--owner", "a\tb"}).exit_code, 0);
  EXPECT_THAT(OutputOf({"lease", "ls", "--format", "table {{.ID}}\t{{.Owner}}\t{{.Contents}}"}),
              ElementsAre(StartsWith("LEASE"), MatchesRegex("l1 +a b +0")));
  EXPECT_THAT(OutputOf({"upload", "ls", "--format", "{{.ID}}"}), IsEmpty());
  EXPECT_THAT(OutputOf({"hold", "ls", "--format", "{{.Name}}"}), IsEmpty());
  EXPECT_THAT(OutputOf({"history", "--format", "{{.ID}} {{.CreatedBy}}", "app:v1"}), IsEmpty())
      << "its config tells no step";
}

TEST_F(CliSystemTest, DiskUsageInATableAsDockers) {
  const std::vector<std::string> empty = OutputOf({"system", "df"});
  ASSERT_THAT(empty, SizeIs(8));
  EXPECT_THAT(empty[0], MatchesRegex("TYPE +TOTAL +TAGGED +ACTIVE +SIZE +DANGLING +RECLAIMABLE"));
  EXPECT_THAT(empty[1], MatchesRegex("Images +0 +0 +0 +0B +0B +0B"));
  PutImage("app", {"v1"}, 1);
  PutImage("app", {}, 2);
  ASSERT_EQ(Run({"blob", "put", WriteFile("loose", TestBytes(200'000, 7)), "-q"}).exit_code, 0);
  ASSERT_EQ(Run({"hold", "create", "app:v1", "--name", "web"}).exit_code, 0);
  const std::vector<std::string> lines = OutputOf({"df"});
  ASSERT_THAT(lines, SizeIs(9));
  EXPECT_THAT(lines[1], MatchesRegex("Images +2 +1 +1 +0B +0B +0B"));
  EXPECT_THAT(lines[2], MatchesRegex("Blobs .files. +1 +- +- +2[0-9.]+kB +2[0-9.]+kB .100%. +"
                                     "2[0-9.]+kB .100%."));
  // As pushed; the index's own row is of the files of the index.
  EXPECT_THAT(lines[3], MatchesRegex("Blobs .small. +6 +- +- +10.[0-9]+kB +- +-"));
  EXPECT_THAT(lines[4], MatchesRegex("Index +- +- +- +[0-9.]+[kM]?B +- +-"));
  EXPECT_THAT(lines[5], MatchesRegex("Uploads +0 +- +0 +0B +- +-"));
  EXPECT_EQ(lines[6], "");
  EXPECT_THAT(
      lines[7],
      MatchesRegex("`varve image prune` would remove 1 image and give back 0B, `varve image prune "
                   "-a` 1 image and 0B\\. 1 blob of 2[0-9.]+kB on disk waits for the reclaimer\\. "
                   "All leave for later .*"));
  EXPECT_THAT(lines[8], StartsWith("Small blobs are kept in the index"));
  ASSERT_EQ(Run({"hold", "rm", "web"}).exit_code, 0);
  EXPECT_THAT(OutputOf({"df"}), Contains(HasSubstr("`varve image prune -a` 2 images and 0B.")));
  EXPECT_THAT(OutputOf({"df", "--format", "{{.Type}}={{.TotalCount}},{{.Active}}"}),
              ElementsAre("Images=2,0", "Blobs (files)=1,-", "Blobs (small)=6,-", "Index=-,-",
                          "Uploads=0,0"));
  EXPECT_THAT(OutputOf({"df", "-v", "--format", "table {{.Part}}\t{{.Count}}"}),
              Contains(MatchesRegex("Unused images +2")));
}

TEST_F(CliSystemTest, DiskUsageInDetailAndAsJson) {
  PutImage("app", {"v1", "v2"}, 1);
  const std::vector<std::string> lines = OutputOf({"system", "df", "-v"});
  EXPECT_THAT(
      lines,
      ElementsAre(
          "1 repository, 2 tags", "", MatchesRegex("PART +COUNT +AS PUSHED +ON DISK"),
          MatchesRegex("Tagged images +1 +.*B +.*B"), MatchesRegex("Images in use +0 +0B +0B"),
          MatchesRegex("Dangling images +0 +0B +0B"), MatchesRegex("Unused images +1 +.*B +.*B"),
          MatchesRegex("Blobs .files. +0 +0B +0B"),
          MatchesRegex("Blobs .small. +3 +[0-9.]+kB +in the index"),
          MatchesRegex("Unreferenced blobs +0 +0B +0B"), MatchesRegex("Uploads +0 +0B +0B"),
          MatchesRegex("Index +- +- +[0-9.]+[kM]?B"), "",
          StartsWith("`varve image prune` would remove 0 images"), StartsWith("Small blobs")));
  const std::string part = "\\{\"count\":[0-9]+,\"logical_bytes\":[0-9]+,\"disk_bytes\":[0-9]+\\}";
  EXPECT_THAT(OutputOf({"system", "df", "--json"}),
              ElementsAre(MatchesRegex(
                  "\\{\"repositories\":1,\"tags\":2,\"images\":1,\"tagged\":" + part +
                  ",\"in_use\":" + part + ",\"dangling\":" + part + ",\"unused\":" + part +
                  ",\"loose\":" + part + ",\"inlined\":" + part + ",\"unreferenced\":" + part +
                  ",\"uploads\":" + part + ",\"orphans\":" + part +
                  ",\"index_disk_bytes\":[0-9]+,\"reserve_disk_bytes\":0\\}")));
}

TEST_F(CliSystemTest, DiskUsageCountsTheReserveAndSaysWhatItIs) {
  StopDaemon();
  EngineOptions options;
  options.reserve_bytes = kMinReserveBytes;
  ASSERT_NO_FATAL_FAILURE(StartDaemon(options));
  const std::vector<std::string> lines = OutputOf({"system", "df"});
  ASSERT_THAT(lines, SizeIs(10));
  EXPECT_THAT(lines[6], MatchesRegex("Reserve +- +- +- +1[0-9.]+MB +- +-"));
  EXPECT_EQ(lines[9], "The reserve is what is set aside, so that deletions work on a full disk.");
  EXPECT_THAT(OutputOf({"system", "df", "-v"}),
              Contains(MatchesRegex("Reserve +- +- +1[0-9.]+MB")));
  EXPECT_THAT(OutputOf({"system", "df", "--json"}),
              ElementsAre(HasSubstr("\"reserve_disk_bytes\":100")));
}

TEST_F(CliSystemTest, EventsThatAreKept) {
  const ManifestInfo app = PutImage("mirror/debian", {"12"}, 1);
  const std::string digest = " \\(digest=" + app.digest.ToString() + "\\)";
  EXPECT_THAT(OutputOf({"system", "events", "--no-follow"}),
              ElementsAre(MatchesRegex(kTime + (" image push mirror/debian:12" + digest)),
                          MatchesRegex(kTime + (" image tag mirror/debian:12" + digest))));
  ASSERT_TRUE(store_->manifests.Untag("mirror/debian", "12", false).ok());
  ASSERT_TRUE(store_->manifests.DeleteManifest("mirror/debian", app.digest).ok());
  EXPECT_THAT(OutputOf({"system", "events", "--no-follow", "--filter", "type=delete"}),
              ElementsAre(MatchesRegex(kTime + (" image delete mirror/debian" + digest))));
  EXPECT_THAT(OutputOf({"system", "events", "--no-follow", "-f", "event=untag", "-f",
                        "event=delete", "-f", "repository=mirror/debian"}),
              SizeIs(2));
  EXPECT_THAT(OutputOf({"system", "events", "--no-follow", "-f", "repository=other"}), IsEmpty());
  EXPECT_EQ(OutputOf({"events", "--no-follow"}), OutputOf({"system", "events", "--no-follow"}));
}

TEST_F(CliSystemTest, EventsOfATimeAndInATemplate) {
  const ManifestInfo app = PutImage("app", {"v1"}, 1);
  EXPECT_THAT(OutputOf({"events", "--since", "1h", "--until", "0s"}), SizeIs(2));
  EXPECT_THAT(OutputOf({"events", "--since", "2038-01-01", "--no-follow"}), IsEmpty());
  EXPECT_THAT(OutputOf({"events", "--until", "2020-01-01T00:00:00Z"}), IsEmpty());
  EXPECT_EQ(Run({"events", "--until", "2238-01-01"}).exit_code, 1);
  EXPECT_THAT(
      OutputOf({"events", "--until", "0s", "--format",
                "{{.Type}} {{.Action}} {{.Actor.ID}} {{index .Actor.Attributes \"name\"}}"}),
      ElementsAre("image push app:v1 app:v1", "image tag app:v1 app:v1"));
  EXPECT_THAT(OutputOf({"events", "--until", "0s", "-f", "type=tag", "--format", "json"}),
              ElementsAre(MatchesRegex("\\{\"Action\":\"tag\",\"Actor\":\\{.*\"Digest\":\"" +
                                       app.digest.ToString() + "\".*")));
}

TEST_F(CliSystemTest, AScriptGoesOnAfterTheTokenOfAnEvent) {
  const ManifestInfo app = PutImage("app", {"v1"}, 1);
  const std::vector<std::string> lines = OutputOf({"system", "events", "--no-follow", "--json"});
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_THAT(lines[0],
              MatchesRegex("\\{\"time\":\".*Z\",\"type\":\"push\",\"repository\":\"app\",\"tag\":"
                           "\"v1\",\"digest\":\"" +
                           app.digest.ToString() + "\",\"token\":\"[0-9a-f]+-1\"\\}"));
  const size_t at = lines[0].find("\"token\":\"") + std::strlen("\"token\":\"");
  const std::string token = lines[0].substr(at, lines[0].find('"', at) - at);
  EXPECT_THAT(OutputOf({"system", "events", "--no-follow", "--json", "--since", token}),
              ElementsAre(lines[1]));
  StopDaemon();
  ASSERT_NO_FATAL_FAILURE(StartDaemon());
  const CommandOutcome missed = Run({"system", "events", "--since", token});
  EXPECT_EQ(missed.exit_code, 1);
  EXPECT_THAT(missed.err, HasSubstr("the daemon was restarted since that event"));
  EXPECT_EQ(Run({"system", "events", "--since", "junk"}).exit_code, 1);
}

TEST_F(CliSystemTest, EventsAsTheyHappen) {
  const std::string out = Path("events");
  const pid_t process =
      Spawn({VARVE_BINARY, "--address", Address(), "system", "events"}, out, Path("events.err"));
  ASSERT_GT(process, 0);
  // When it watches is not to be seen from outside: the first event it shows says that it does.
  for (uint32_t i = 0; i < 2000 && ReadFile(out).empty(); ++i) {
    AddEvent("first");
    std::this_thread::sleep_for(milliseconds(10));
  }
  const size_t before = WaitForLines(out, 1).size();
  PutImage("app", {"v1"}, 1);
  const auto pushed = [&] { return ReadFile(out).find("image tag app:v1") != std::string::npos; };
  for (int i = 0; i < 2000 && !pushed(); ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_TRUE(pushed()) << "each line comes at once, " << before << " came before";
  const int status = EndProcess(process, SIGTERM);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(ReadFile(Path("events.err")), "");
}

TEST_F(CliSystemTest, WrongUsageIsSaidSo) {
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"system", "events", "--filter", "type=bogus"},
                                             {"system", "events", "--format", "{{.Bogus}}"},
                                             {"system", "df", "--format", "{{.Bogus}}"},
                                             {"info", "--format", "{{.Bogus}}"},
                                             {"version", "--format", "{{"},
                                             {"repo", "ls", "--format", "{{.Bogus}}"},
                                             {"repo", "ls", "--format", "json", "--quiet"},
                                             {"system", "events", "--filter", "bogus"},
                                             {"system", "events", "--filter", "repository=UPPER"},
                                             {"system", "df", "--bogus"}}) {
    const CommandOutcome outcome = Run(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("varve: "));
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(CliSystemTest, RepositoriesAreListed) {
  EXPECT_THAT(OutputOf({"repo", "ls"}),
              ElementsAre(MatchesRegex("REPOSITORY +TAGS +MANIFESTS +CREATED")));
  PutImage("app", {"v1", "v2"}, 1);
  PutImage("app", {}, 2);
  PutImage("mirror/debian", {"12"}, 3);
  EXPECT_THAT(OutputOf({"repo", "ls"}),
              ElementsAre(StartsWith("REPOSITORY"), MatchesRegex("app +2 +2 +.* ago"),
                          MatchesRegex("mirror/debian +1 +1 +.* ago")));
  EXPECT_THAT(OutputOf({"repo", "ls", "-q"}), ElementsAre("app", "mirror/debian"));
  EXPECT_THAT(OutputOf({"repo", "ls", "--json"}),
              ElementsAre(MatchesRegex("\\{\"repository\":\"app\",\"tags\":2,\"manifests\":2,"
                                       "\"created\":\".*Z\"\\}"),
                          HasSubstr("mirror/debian")));
}

TEST_F(CliSystemTest, BlobsAreListed) {
  PutImage("app", {"v1"}, 1);
  const std::string big = TestBytes(200'000, 2);
  ASSERT_EQ(Run({"blob", "put", WriteFile("big", big), "-q"}).exit_code, 0);
  const std::string digest = Sha256Of(big).ToString();
  const std::vector<std::string> lines = OutputOf({"blob", "ls"});
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines[0], MatchesRegex("DIGEST +SIZE +CREATED +KEPT IN +STATE"));
  EXPECT_THAT(lines,
              testing::Contains(MatchesRegex(digest + " +200kB +.* ago +file +unreferenced")));
  EXPECT_THAT(OutputOf({"blob", "ls", "-q"}), testing::Contains(digest));
  EXPECT_THAT(OutputOf({"blob", "ls", "--json"}),
              testing::Contains(
                  MatchesRegex("\\{\"digest\":\"" + digest +
                               "\",\"size_bytes\":200000,\"created\":\".*Z\","
                               "\"inlined\":false,\"referenced\":false,\"quarantined\":false\\}")));
}

TEST_F(CliSystemTest, LongListsComeInPages) {
  const size_t count = kMaxPageRows + 3;
  for (size_t i = 0; i < count; ++i) {
    const std::string bytes = "blob " + std::to_string(i);
    const absl::StatusOr<std::unique_ptr<OpenUpload>> upload = store_->blobs.BeginUpload("", {});
    ASSERT_TRUE(upload.ok() && (*upload)->Append(0, bytes).ok() &&
                (*upload)->Commit(Sha256Of(bytes), bytes.size()).ok());
  }
  EXPECT_THAT(OutputOf({"blob", "ls", "-q"}), SizeIs(count));
  EXPECT_THAT(OutputOf({"blob", "ls"}), SizeIs(count + 1));
}

TEST_F(CliSystemTest, AWatchGoesOnAfterABrokenConnection) {
  std::vector<std::string> seen;
  std::atomic<bool> watching = false;
  absl::Status status;
  std::thread watcher([&] {
    WatchOptions options;
    options.from_oldest = true;
    status = client_->WatchEvents(options, [&](const Event& event, const std::string&) {
      seen.push_back(event.repository);
      watching = true;
      return event.repository != "last";
    });
  });
  AddEvent("first");
  while (!watching) std::this_thread::sleep_for(milliseconds(1));
  for (const char* name : {"second", "third"}) {
    server_.reset();
    AddEvent(name);
    ASSERT_NO_FATAL_FAILURE(StartServer(options_));
  }
  AddEvent("last");
  watcher.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(seen, ElementsAre("first", "second", "third", "last"));
}

TEST_F(CliSystemTest, AWatchEndsWhenEventsWereMissedOrNobodyIsThere) {
  std::atomic<bool> watching = false;
  absl::Status status;
  std::thread watcher([&] {
    status = client_->WatchEvents({}, [&](const Event&, const std::string&) {
      watching = true;
      return true;
    });
  });
  while (!watching) {
    AddEvent("app");
    std::this_thread::sleep_for(milliseconds(1));
  }
  StopDaemon();
  ASSERT_NO_FATAL_FAILURE(StartDaemon());
  watcher.join();
  EXPECT_EQ(status.code(), Code::kOutOfRange) << status;
  StopDaemon();
  const auto begin = steady_clock::now();
  const auto no_event = [](const Event&, const std::string&) { return true; };
  EXPECT_EQ(client_->WatchEvents({}, no_event).code(), Code::kUnavailable);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(2)) << "no use in waiting";
}

}  // namespace
}  // namespace varve
