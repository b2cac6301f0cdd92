// The Dockerfile instructions of `import --change`.
#include "client/archive/image_changes.h"
#include "gmock/gmock.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

RuntimeConfig Apply(const std::vector<std::string>& changes) {
  RuntimeConfig runtime;
  for (const std::string& change : changes) {
    const absl::Status status = ApplyChange(change, &runtime);
    EXPECT_TRUE(status.ok()) << change << ": " << status;
  }
  return runtime;
}

std::string ErrorOf(const std::string& change) {
  RuntimeConfig runtime;
  const absl::Status status = ApplyChange(change, &runtime);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << change;
  return std::string(status.message());
}

TEST(ImportChangesTest, CommandsAreJsonOrForTheShell) {
  EXPECT_THAT(Apply({"CMD [\"/bin/sh\", \"-c\", \"a b\"]"}).command,
              ElementsAre("/bin/sh", "-c", "a b"));
  EXPECT_THAT(Apply({"cmd  echo $HOME  'x' "}).command,
              ElementsAre("/bin/sh", "-c", "echo $HOME  'x'"));
  EXPECT_THAT(Apply({"CMD [not json]"}).command, ElementsAre("/bin/sh", "-c", "[not json]"));
  const RuntimeConfig both = Apply({"CMD [\"a\"]", "ENTRYPOINT [\"b\"]", "CMD [\"c\"]"});
  EXPECT_THAT(both.command, ElementsAre("c"));
  EXPECT_THAT(both.entrypoint, ElementsAre("b"));
}

TEST(ImportChangesTest, EnvironmentKeepsItsOrderAndEachNameOnce) {
  EXPECT_THAT(Apply({"ENV A=1 B=\"two words\" C='$x' D=a\\ b", "ENV A=3", "ENV OLD form  of it"})
                  .environment,
              ElementsAre(Pair("A", "3"), Pair("B", "two words"), Pair("C", "$x"), Pair("D", "a b"),
                          Pair("OLD", "form of it")));
  EXPECT_THAT(Apply({"ENV E= F=a=b"}).environment, ElementsAre(Pair("E", ""), Pair("F", "a=b")));
}

TEST(ImportChangesTest, LabelsPortsVolumesAndTheRest) {
  const RuntimeConfig runtime =
      Apply({"LABEL \"com.example.vendor\"=\"A Company\" version=1", "EXPOSE 80 53/UDP",
             "EXPOSE 8000-8002", "VOLUME /data /logs", "VOLUME [\"/with space\"]", "USER 1000:1000",
             "WORKDIR /srv", "WORKDIR ../opt/./app/", "STOPSIGNAL SIGQUIT"});
  EXPECT_THAT(runtime.labels,
              ElementsAre(Pair("com.example.vendor", "A Company"), Pair("version", "1")));
  EXPECT_THAT(runtime.exposed_ports,
              ElementsAre("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"));
  EXPECT_THAT(runtime.volumes, ElementsAre("/data", "/logs", "/with space"));
  EXPECT_EQ(runtime.user, "1000:1000");
  EXPECT_EQ(runtime.working_directory, "/opt/app");
  EXPECT_EQ(runtime.stop_signal, "SIGQUIT");
  for (const char* signal : {"9", "term", "SIGRTMIN+3", "rtmax-1"}) {
    EXPECT_EQ(Apply({std::string("STOPSIGNAL ") + signal}).stop_signal, signal);
  }
  EXPECT_EQ(Apply({"WORKDIR ../.."}).working_directory, "/");
}

TEST(ImportChangesTest, WhatCannotBeMeantIsRefused) {
  for (const char* change : {"",
                             "CMD",
                             "  ENV ",
                             "FROM x",
                             "RUN true",
                             "ENV =x",
                             "ENV lonely",
                             "ENV A=1 lonely",
                             "ENV A=\"open",
                             "LABEL x",
                             "EXPOSE",
                             "EXPOSE 0",
                             "EXPOSE 65536",
                             "EXPOSE 5-4",
                             "EXPOSE 80/icmp",
                             "EXPOSE -",
                             "EXPOSE 1-2-3",
                             "USER a b",
                             "USER \"\"",
                             "WORKDIR a b",
                             "STOPSIGNAL SIGNONE",
                             "STOPSIGNAL 0",
                             "STOPSIGNAL 65",
                             "VOLUME [\"\"]"}) {
    EXPECT_NE(ErrorOf(change), "");
  }
  EXPECT_THAT(ErrorOf("FROM x"), HasSubstr("CMD, ENTRYPOINT"));
}

TEST(ImportChangesTest, AVariableIsRefusedInsteadOfTakenLiterally) {
  for (const char* change : {"ENV PATH=$PATH:/x", "LABEL a=\"$b\"", "WORKDIR $HOME"}) {
    EXPECT_THAT(ErrorOf(change), HasSubstr("not expanded"));
  }
  EXPECT_THAT(Apply({"ENV A=\\$x B=\"\\$y\" C='$z'"}).environment,
              ElementsAre(Pair("A", "$x"), Pair("B", "$y"), Pair("C", "$z")));
}

}  // namespace
}  // namespace varve
