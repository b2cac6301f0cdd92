#include "daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "daemon/config_keys.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : path_(StrCat(testing::TempDir(), "varved_", getpid(), ".toml")) {}
  ~ConfigTest() override { std::remove(path_.c_str()); }

  std::string WriteFile(std::string_view content) {
    std::ofstream(path_, std::ios::binary) << content;
    return path_;
  }

  // The message of the error that `sources` must give.
  static std::string ErrorOf(const ConfigSources& sources) {
    const auto config = LoadConfig(sources);
    if (config.ok()) return "no error";
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(config.status().message());
  }
  std::string FileError(std::string_view content) { return ErrorOf({WriteFile(content), {}, {}}); }

  const std::string path_;
};

TEST_F(ConfigTest, EveryDefaultIsValidAndTheSafeOne) {
  for (const ConfigKey& key : ConfigKeys()) {
    Config config;
    EXPECT_TRUE(key.set(config, key.default_text).ok()) << key.section << "." << key.name;
  }
  const auto config = LoadConfig({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, "./varve-data");
  EXPECT_FALSE(config->grpc.has_value());
  ASSERT_TRUE(config->registry.has_value());
  EXPECT_EQ(config->registry->host, "127.0.0.1");
  EXPECT_EQ(config->registry->port, 5000);
  EXPECT_EQ(config->registry_socket, "");
  EXPECT_TRUE(config->hostnames.empty());
  EXPECT_TRUE(config->trusted_proxies.empty());
  EXPECT_FALSE(config->read_only);
  EXPECT_EQ(config->log_file, "");
  EXPECT_FALSE(config->accept_sparse_index);
  EXPECT_TRUE(config->canonical_names);
  EXPECT_EQ(config->promise, std::chrono::minutes(10));
  EXPECT_EQ(config->upload_expiry, std::chrono::hours(24));
  EXPECT_EQ(config->reclaim_interval, std::chrono::seconds(10));
  EXPECT_EQ(config->prune_every, std::chrono::seconds(0));
  EXPECT_TRUE(config->prune_filters.empty());
  EXPECT_FALSE(config->prune_all);
  EXPECT_EQ(config->drain_timeout, std::chrono::seconds(30));
  EXPECT_EQ(config->log_level, LogLevel::kInfo);
  EXPECT_EQ(config->log_format, LogFormat::kText);
}

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  ConfigSources sources;
  sources.file = WriteFile("[store]\ndata_dir = \"/file\"\n");
  EXPECT_EQ(LoadConfig(sources)->data_dir, "/file");
  sources.environment = {{"VARVE_STORE_DATA_DIR", "/environment"}};
  EXPECT_EQ(LoadConfig(sources)->data_dir, "/environment");
  sources.flags = {{"--data-dir", "/flag"}};
  EXPECT_EQ(LoadConfig(sources)->data_dir, "/flag");
}

TEST_F(ConfigTest, ASmallReserveIsRefusedWithTheFigure) {
  for (const char* size : {"0", "32MiB", "95MiB"}) {
    const auto config =
        LoadConfig({WriteFile(StrCat("[store]\nreserve = \"", size, "\"\n")), {}, {}});
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << size;
    EXPECT_THAT(std::string(config.status().message()), testing::HasSubstr("at least 96MiB"));
  }
  EXPECT_EQ(LoadConfig({WriteFile("[store]\nreserve = \"96MiB\"\n"), {}, {}})->reserve_bytes,
            96ULL << 20);
  EXPECT_EQ(LoadConfig({})->reserve_bytes, 96ULL << 20);
}

TEST_F(ConfigTest, ReadsEveryKeyFromAFile) {
  const auto config = LoadConfig({WriteFile(R"(
[store]
data_dir = "/data"
max_bytes = "20GiB"
min_free = 4096
reserve = "128MB"
[grpc]
socket = "/run/v.sock"
listen = "0.0.0.0:7000"
allow_remote = true
[registry]
listen = "0.0.0.0:80"
allow_remote = true
hostnames = "Registry.example.com  mirror.example.com."
read_only = true
sparse_index = "accept"
[reclaim]
promise = "1s"
upload_expiry = "2h"
interval = "3s"
[prune]
every = "24h"
filters = " label!=keep  until=24h"
all = true
[log]
format = "json"
file = "/var/log/varved.log"
level = "debug"
[server]
drain_timeout = "4s"
)"),
                                  {},
                                  {}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, "/data");
  EXPECT_EQ(config->max_bytes, 20ULL << 30);
  EXPECT_EQ(config->min_free_bytes, 4096u);
  EXPECT_EQ(config->reserve_bytes, 128'000'000u);
  EXPECT_EQ(config->socket_path, "/run/v.sock");
  ASSERT_TRUE(config->grpc.has_value());
  EXPECT_EQ(config->grpc->host, "0.0.0.0");
  EXPECT_EQ(config->grpc->port, 7000);
  EXPECT_EQ(config->registry->host, "0.0.0.0");
  EXPECT_THAT(config->hostnames,
              testing::ElementsAre("registry.example.com", "mirror.example.com"));
  EXPECT_TRUE(config->read_only);
  EXPECT_EQ(config->log_file, "/var/log/varved.log");
  EXPECT_TRUE(config->accept_sparse_index);
  EXPECT_EQ(config->promise, std::chrono::seconds(1));
  EXPECT_EQ(config->upload_expiry, std::chrono::hours(2));
  EXPECT_EQ(config->reclaim_interval, std::chrono::seconds(3));
  EXPECT_EQ(config->prune_every, std::chrono::hours(24));
  EXPECT_THAT(config->prune_filters, testing::ElementsAre("label!=keep", "until=24h"));
  EXPECT_TRUE(config->prune_all);
  EXPECT_EQ(config->log_format, LogFormat::kJson);
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_EQ(config->drain_timeout, std::chrono::seconds(4));
}

TEST_F(ConfigTest, AScheduledPruneOfAllNeedsAChoice) {
  for (const char* bad :
       {"all = true", "all = true\nfilters = \"dangling=false\"", "filters = \"dangling=false\"",
        "every = \"30s\"", "filters = \"colour=red\"", "filters = \"until\""}) {
    ConfigSources sources;
    sources.file = WriteFile(StrCat("[prune]\n", bad, "\n"));
    EXPECT_FALSE(LoadConfig(sources).ok()) << bad;
  }
  for (const char* good : {"all = true\nfilters = \"unused-for=720h\"", "every = \"1m\"",
                           "filters = \"dangling=false keep-last=3\"", "all = false"}) {
    ConfigSources sources;
    sources.file = WriteFile(StrCat("[prune]\n", good, "\n"));
    EXPECT_TRUE(LoadConfig(sources).ok()) << good << LoadConfig(sources).status();
  }
}

TEST_F(ConfigTest, EveryKeyHasItsVariable) {
  for (const ConfigKey& key : ConfigKeys()) {
    const std::string variable = ConfigVariable(key);
    const bool valid_empty = key.name == "socket";  // any text is a path
    const std::string wrong = valid_empty ? std::string(200, 'x') : std::string("\x01");
    if (key.name == "data_dir") continue;  // any text is a directory; see the test of precedence
    EXPECT_THAT(ErrorOf({"", {{variable, wrong}}, {}}), StartsWith(StrCat(variable, ": ")));
  }
}

TEST_F(ConfigTest, ErrorsOfTheFileNameLineSectionAndKey) {
  EXPECT_EQ(FileError("\n[registry]\nlisen = \"127.0.0.1:1\"\n"),
            StrCat(path_, ":3: [registry] lisen: unknown key; did you mean listen?"));
  EXPECT_EQ(FileError("[registry]\ntls = true\n"),
            StrCat(path_, ":2: [registry] tls: unknown key"));
  EXPECT_EQ(FileError("# x\n[regstry]\n"),
            StrCat(path_, ":2: [regstry]: unknown section; did you mean registry?"));
  EXPECT_EQ(FileError("data_dir = \"/x\"\n"), StrCat(path_, ":1: [data_dir]: unknown section"));
  EXPECT_EQ(FileError("store = 7\n"), StrCat(path_, ":1: store is a section; write [store]"));
  EXPECT_EQ(FileError("[store]\n\ndata_dir = 7\n"),
            StrCat(path_,
                   ":3: [store] data_dir: must be text in quotes, such as "
                   "\"./varve-data\""));
  EXPECT_THAT(FileError("[store]\nmax_bytes = -1\n"),
              StartsWith(StrCat(path_, ":2: [store] max_bytes: \"-1\" is not a size")));
  EXPECT_THAT(FileError("[store]\nmax_bytes = \"5%\"\n"),
              StartsWith(StrCat(path_, ":2: [store] max_bytes: \"5%\" is not a size")));
  EXPECT_THAT(FileError("[reclaim]\npromise = 600\n"),
              StartsWith(StrCat(path_, ":2: [reclaim] promise: must be text")));
  EXPECT_EQ(FileError("[registry]\nallow_remote = \"true\"\n"),
            StrCat(path_, ":2: [registry] allow_remote: must be true or false, without quotes"));
  EXPECT_EQ(FileError("[log]\nlevel = \"loud\"\n"),
            StrCat(path_,
                   ":2: [log] level: \"loud\" must be one of \"debug\", \"info\", "
                   "\"warning\", \"error\""));
  EXPECT_EQ(FileError("[store]\ndata_dir = \"\"\n"),
            StrCat(path_, ":2: [store] data_dir: must not be empty"));
}

TEST_F(ConfigTest, SyntaxErrorsNameTheLine) {
  EXPECT_THAT(FileError("[store]\ndata_dir = \n"), StartsWith(StrCat(path_, ":2: ")));
  EXPECT_THAT(FileError("[store\n"), StartsWith(StrCat(path_, ":1: ")));
  EXPECT_THAT(FileError("[log]\nlevel = \"info\"\nlevel = \"info\"\n"),
              StartsWith(StrCat(path_, ":3: ")));
  EXPECT_THAT(FileError("[log]\nlevel = \"\xff\"\n"), StartsWith(StrCat(path_, ":2: ")));
}

TEST_F(ConfigTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_THAT(ErrorOf({"/nonexistent/varved.toml", {}, {}}),
              StartsWith("/nonexistent/varved.toml: cannot be read"));
  EXPECT_THAT(ErrorOf({testing::TempDir(), {}, {}}), HasSubstr("cannot be read"));
  EXPECT_THAT(FileError(std::string(2 << 20, '#')), HasSubstr("larger than 1 MiB"));
}

TEST_F(ConfigTest, AnEmptyFileIsAConfiguration) {
  EXPECT_TRUE(LoadConfig({WriteFile(""), {}, {}}).ok());
  EXPECT_TRUE(LoadConfig({WriteFile("[store]\n"), {}, {}}).ok());
}

TEST_F(ConfigTest, ShortVariablesAreAliases) {
  const auto config = LoadConfig(
      {"",
       {{"VARVE_DATA_DIR", "/d"}, {"VARVE_SOCKET", "/s"}, {"VARVE_REGISTRY", "127.0.0.1:7"}},
       {}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, "/d");
  EXPECT_EQ(config->socket_path, "/s");
  EXPECT_EQ(config->registry->port, 7);
  EXPECT_EQ(
      LoadConfig({"", {{"VARVE_CONFIG", WriteFile("[store]\ndata_dir=\"/c\"\n")}}, {}})->data_dir,
      "/c");
}

TEST_F(ConfigTest, TwoVariablesForOneKeyMustAgree) {
  EXPECT_EQ(ErrorOf({"", {{"VARVE_DATA_DIR", "/a"}, {"VARVE_STORE_DATA_DIR", "/b"}}, {}}),
            "VARVE_STORE_DATA_DIR: contradicts VARVE_DATA_DIR; set only one of them");
  EXPECT_TRUE(
      LoadConfig({"", {{"VARVE_DATA_DIR", "/a"}, {"VARVE_STORE_DATA_DIR", "/a"}}, {}}).ok());
}

TEST_F(ConfigTest, UnknownVariablesOfASectionAreErrorsOthersAreNotOurs) {
  EXPECT_EQ(ErrorOf({"", {{"VARVE_STORE_DATADIR", "/x"}}, {}}),
            "VARVE_STORE_DATADIR: no such setting; did you mean VARVE_STORE_DATA_DIR?");
  EXPECT_EQ(ErrorOf({"", {{"VARVE_RECLAIM_FOO", "x"}}, {}}), "VARVE_RECLAIM_FOO: no such setting");
  const auto config = LoadConfig({"",
                                  {{"VARVE_ADDRESS", "unix:///x"},
                                   {"VARVE_SOMETHING", "x"},
                                   {"VARVE_STORE_DATA_DIR", ""},
                                   {"PATH", "/bin"},
                                   {"VARVE_REGISTRY_SERVICE_HOST", "10.0.0.1"},
                                   {"VARVE_REGISTRY_PORT_5000_TCP", "tcp://10.0.0.1:5000"},
                                   {"VARVE_REGISTRY_PORT", "tcp://10.0.0.1:5000"}},
                                  {}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, "./varve-data");
}

TEST_F(ConfigTest, BadFlagsAndVariablesAreNamed) {
  EXPECT_THAT(ErrorOf({"", {}, {{"--registry", "foo"}}}), StartsWith("--registry: \"foo\" is not"));
  EXPECT_THAT(ErrorOf({"", {{"VARVE_LOG_LEVEL", "loud"}}, {}}),
              StartsWith("VARVE_LOG_LEVEL: \"loud\" must be one of"));
  EXPECT_EQ(ErrorOf({"", {}, {{"--what", "x"}}}), "--what: unknown flag");
}

TEST_F(ConfigTest, ABadValueIsAnErrorAlsoWhenALaterLayerReplacesIt) {
  ConfigSources sources;
  sources.file = WriteFile("[log]\nlevel = \"loud\"\n");
  sources.flags = {{"--log-level", "info"}};
  EXPECT_THAT(ErrorOf(sources), HasSubstr(":2: [log] level"));
}

TEST_F(ConfigTest, RemoteAddressesNeedToBeAllowed) {
  EXPECT_THAT(ErrorOf({"", {}, {{"--registry", "0.0.0.0:5000"}}}),
              AllOf(StartsWith("--registry: 0.0.0.0:5000 is not a loopback address"),
                    HasSubstr("[registry] allow_remote = true")));
  EXPECT_THAT(FileError("[registry]\nlisten = \":5000\"\n"),
              StartsWith(StrCat(path_, ":2: [registry] listen: :5000 is not a loopback address")));
  ConfigSources sources;
  sources.flags = {{"--registry", "0.0.0.0:5000"}};
  sources.environment = {{"VARVE_REGISTRY_ALLOW_REMOTE", "true"}};
  EXPECT_TRUE(LoadConfig(sources).ok());
}

TEST_F(ConfigTest, RemoteAddressesOfTheGrpcDoorNeedAPermissionOfTheirOwn) {
  EXPECT_THAT(ErrorOf({"", {{"VARVE_REGISTRY_ALLOW_REMOTE", "true"}}, {{"--grpc", "[::]:7000"}}}),
              AllOf(StartsWith("--grpc: [::]:7000 is not a loopback address"),
                    HasSubstr("no authentication yet"), HasSubstr("[grpc] allow_remote = true"),
                    HasSubstr("VARVE_GRPC_ALLOW_REMOTE=true")));
  ConfigSources sources;
  sources.file = WriteFile("[grpc]\nlisten = \"0.0.0.0:1\"\nallow_remote = true\n");
  EXPECT_EQ(LoadConfig(sources)->grpc->port, 1);
  sources.environment = {{"VARVE_GRPC_LISTEN", "0.0.0.0:2"}};
  EXPECT_EQ(LoadConfig(sources)->grpc->port, 2);
  sources.flags = {{"--grpc", "[::1]:3"}};
  EXPECT_EQ(LoadConfig(sources)->grpc->port, 3);
  EXPECT_EQ(LoadConfig(sources)->grpc->host, "::1");
  EXPECT_TRUE(LoadConfig({"", {{"VARVE_GRPC", "localhost:0"}}, {}}).ok());
}

TEST_F(ConfigTest, WithoutASocketPathItIsWhereClientsLook) {
  ConfigSources sources;
  sources.system_socket_directory = StrCat(testing::TempDir(), "varved_", getpid(), "_run");
  EXPECT_EQ(LoadConfig(sources)->socket_path, sources.system_socket_directory + "/varve.sock");
  sources.file = WriteFile("[grpc]\nsocket = \"\"\n");
  EXPECT_EQ(LoadConfig(sources)->socket_path, sources.system_socket_directory + "/varve.sock");
  sources.system_socket_directory = "/nonexistent/run/varve";
  EXPECT_EQ(LoadConfig(sources)->socket_path, "./varve-data/varve.sock");
  const std::string own = StrCat(testing::TempDir(), "varved_", getpid(), "_own");
  ASSERT_EQ(mkdir(own.c_str(), 0700), 0);
  sources.environment = {{"XDG_RUNTIME_DIR", own}};
  EXPECT_EQ(LoadConfig(sources)->socket_path, own + "/varve.sock");
  EXPECT_THAT(LoadConfig(sources)->effective_toml, HasSubstr(own + "/varve.sock"));
  sources.flags = {{"--socket", "/s"}};
  EXPECT_EQ(LoadConfig(sources)->socket_path, "/s");
  rmdir(own.c_str());
}

TEST_F(ConfigTest, ASocketPathMustFit) {
  const std::string longest(107, 's');
  EXPECT_TRUE(LoadConfig({"", {}, {{"--socket", longest}}}).ok());
  EXPECT_THAT(ErrorOf({"", {}, {{"--socket", longest + "s"}}}), StartsWith("--socket: sss"));
  ConfigSources beside_the_store;
  beside_the_store.system_socket_directory = "/nonexistent/run/varve";
  beside_the_store.file = WriteFile("[grpc]\nsocket = \"\"\n");
  beside_the_store.flags = {{"--data-dir", longest}};
  EXPECT_THAT(ErrorOf(beside_the_store), AllOf(StartsWith(StrCat(path_, ":2: [grpc] socket: sss")),
                                               HasSubstr("set a shorter one")));
}

TEST_F(ConfigTest, TheRegistryMayBeOffOrOnAUnixSocket) {
  const auto off = LoadConfig({WriteFile("[registry]\nlisten = \"\"\n"), {}, {}});
  ASSERT_TRUE(off.ok()) << off.status();
  EXPECT_FALSE(off->registry.has_value());
  EXPECT_EQ(off->registry_socket, "");
  const auto on = LoadConfig({"", {}, {{"--registry", "unix:/run/varve/registry.sock"}}});
  ASSERT_TRUE(on.ok()) << on.status();
  EXPECT_FALSE(on->registry.has_value());
  EXPECT_EQ(on->registry_socket, "/run/varve/registry.sock");
  // A later layer wins whatever the form.
  EXPECT_TRUE(LoadConfig({"", {{"VARVE_REGISTRY", "unix:/s"}}, {{"--registry", "127.0.0.1:1"}}})
                  ->registry_socket.empty());
  EXPECT_THAT(ErrorOf({"", {}, {{"--registry", "unix:"}}}), StartsWith("--registry: must not be"));
  EXPECT_THAT(ErrorOf({"", {}, {{"--registry", "unix:/" + std::string(107, 's')}}}),
              AllOf(StartsWith("--registry: /sss"), HasSubstr("set a shorter one")));
  EXPECT_THAT(ErrorOf({"", {}, {{"--registry", "unix:/s"}, {"--socket", "/s"}}}),
              StartsWith("--registry: /s is the socket of the gRPC API"));
}

TEST_F(ConfigTest, TrustedProxiesAreAddresses) {
  for (const char* bad : {"proxy.example.com", "10.0.0.1:80", "10.0.0.0/8", "127.0.0.1,::1"}) {
    EXPECT_THAT(ErrorOf({"", {{"VARVE_REGISTRY_TRUSTED_PROXIES", bad}}, {}}),
                AllOf(StartsWith("VARVE_REGISTRY_TRUSTED_PROXIES: "), HasSubstr("IP address")))
        << bad;
  }
  EXPECT_THAT(LoadConfig({"", {{"VARVE_REGISTRY_TRUSTED_PROXIES", "127.0.0.1 ::1 unix"}}, {}})
                  ->trusted_proxies,
              testing::ElementsAre("127.0.0.1", "::1", "unix"));
}

TEST_F(ConfigTest, HostnamesAreNamesAlone) {
  for (const char* bad : {"registry.example.com:443", "https://registry.example.com", "a,b",
                          "*.example.com", "[::1]", "a/b"}) {
    EXPECT_THAT(ErrorOf({"", {{"VARVE_REGISTRY_HOSTNAMES", bad}}, {}}),
                AllOf(StartsWith("VARVE_REGISTRY_HOSTNAMES: "), HasSubstr("is not a host name")))
        << bad;
  }
  EXPECT_THAT(LoadConfig({"", {{"VARVE_REGISTRY_HOSTNAMES", "* a_b"}}, {}})->hostnames,
              testing::ElementsAre("*", "a_b"));
}

TEST_F(ConfigTest, TheEffectiveConfigurationSaysWhereFromAndReadsBackTheSame) {
  ConfigSources sources;
  sources.file = WriteFile("[store]\nmax_bytes = \"1GiB\"\n");
  sources.environment = {{"VARVE_LOG_LEVEL", "error"}};
  sources.flags = {{"--data-dir", "/a \"b\"\\c\n\xc3\xa9"}};
  const auto config = LoadConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->effective_toml,
              AllOf(HasSubstr(StrCat("max_bytes = \"1GiB\"  # from ", path_, ":2: [store]")),
                    HasSubstr("level = \"error\"  # from VARVE_LOG_LEVEL\n"),
                    HasSubstr("  # from --data-dir\n"),
                    HasSubstr("listen = \"127.0.0.1:5000\"  # from default\n")));
  const auto again = LoadConfig({WriteFile(config->effective_toml), {}, {}});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->data_dir, config->data_dir);
  EXPECT_EQ(again->socket_path, config->socket_path);
  EXPECT_EQ(again->max_bytes, 1u << 30);
  EXPECT_EQ(again->log_level, LogLevel::kError);
}

TEST_F(ConfigTest, AFileNameCannotForgeALineOfTheEffectiveConfiguration) {
  const std::string odd = StrCat(testing::TempDir(), "varved_", getpid(), "_\n[store]");
  std::ofstream(odd) << "[log]\nlevel = \"error\"\n";
  const auto config = LoadConfig({odd, {}, {}});
  std::remove(odd.c_str());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(LoadConfig({WriteFile(config->effective_toml), {}, {}}).ok());
}

TEST_F(ConfigTest, TheSampleNamesEveryKeyWithItsDefaultAndIsValidUncommented) {
  std::ifstream stream(VARVE_SAMPLE_CONFIG);
  const std::string sample{std::istreambuf_iterator<char>(stream),
                           std::istreambuf_iterator<char>()};
  EXPECT_TRUE(LoadConfig({VARVE_SAMPLE_CONFIG, {}, {}}).ok());
  std::string uncommented;
  for (size_t begin = 0; begin < sample.size();) {
    const size_t end = std::min(sample.find('\n', begin), sample.size());
    const std::string line = sample.substr(begin, end - begin);
    // "#key = value" is a setting, "# text" is a comment.
    const bool setting = line.size() > 1 && line[0] == '#' && line[1] != ' ' && line[1] != '#';
    uncommented += (setting ? line.substr(1) : line) + "\n";
    begin = end + 1;
  }
  const auto config = LoadConfig({WriteFile(uncommented), {}, {}});
  ASSERT_TRUE(config.ok()) << config.status();
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_THAT(uncommented, HasSubstr(StrCat("\n", key.name, " = "))) << key.section;
    // The packaged sample differs from the defaults in its path only.
    if (key.name == "data_dir") continue;
    const std::string quote = key.kind == ConfigKind::kBool ? "" : "\"";
    EXPECT_THAT(uncommented, HasSubstr(StrCat("\n", key.name, " = ", quote, key.default_text)));
  }
}

}  // namespace
}  // namespace varve
