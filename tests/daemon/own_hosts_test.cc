#include "daemon/own_hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::optional<ListenAddress> Listen(const char* text) { return *ParseListenAddress(text); }

TEST(OwnHosts, AnAddressIsOneWithItsPort) {
  EXPECT_THAT(OwnHosts(Listen("10.0.0.5:5000"), {}, "box"), ElementsAre("10.0.0.5__5000"));
  EXPECT_THAT(OwnHosts(Listen("127.0.0.2:5000"), {}, "box"), ElementsAre("127.0.0.2__5000"));
  EXPECT_THAT(OwnHosts(Listen("127.0.0.1:5000"), {}, "box"),
              UnorderedElementsAre("127.0.0.1__5000", "localhost__5000"));
  EXPECT_THAT(OwnHosts(Listen("localhost:80"), {}, "box"),
              UnorderedElementsAre("127.0.0.1__80", "localhost__80"));
  EXPECT_THAT(OwnHosts(Listen("[::1]:5000"), {}, "box"), ElementsAre("localhost__5000"));
}

TEST(OwnHosts, EveryAddressIsThisMachine) {
  for (const char* address : {":5000", "0.0.0.0:5000", "[::]:5000"}) {
    EXPECT_THAT(OwnHosts(Listen(address), {}, "Box.example"),
                UnorderedElementsAre("localhost__5000", "127.0.0.1__5000", "box.example__5000"));
  }
  EXPECT_THAT(OwnHosts(Listen(":5000"), {}, ""),
              UnorderedElementsAre("localhost__5000", "127.0.0.1__5000"));
}

TEST(OwnHosts, HostNamesOfAProxyHaveItsPorts) {
  EXPECT_THAT(OwnHosts(std::nullopt, {"registry.example.com"}, "box"),
              UnorderedElementsAre("registry.example.com", "registry.example.com__80",
                                   "registry.example.com__443"));
  EXPECT_THAT(OwnHosts(Listen("127.0.0.1:5000"), {"registry"}, "box"),
              UnorderedElementsAre("127.0.0.1__5000", "localhost__5000", "registry__80",
                                   "registry__443", "registry__5000"));
}

TEST(OwnHosts, NobodyTypesWhatIsNoHostOrAnyFreePort) {
  EXPECT_THAT(OwnHosts(Listen("127.0.0.1:0"), {"*", "my_registry"}, "box"), IsEmpty());
  EXPECT_THAT(OwnHosts(std::nullopt, {}, "box"), IsEmpty());
}

}  // namespace
}  // namespace varve
