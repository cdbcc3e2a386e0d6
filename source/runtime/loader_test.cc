// SPDX-License-Identifier: Apache-2.0
#include "source/runtime/loader.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "source/event/loop.h"
#include "source/stats/store.h"

namespace culvert::runtime {
namespace {

namespace fs = std::filesystem;

class LoaderTest : public testing::Test {
protected:
  LoaderTest() : root_(fs::path(testing::TempDir()) / "runtime") {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }

  std::unique_ptr<Loader> make(std::vector<LayerConfig> layers) {
    absl::StatusOr<std::unique_ptr<Loader>> loader =
        Loader::create(loop_, store_.root(), Config{std::move(layers), "cl"});
    if (!loader.ok()) {
      error_ = std::string(loader.status().message());
      return nullptr;
    }
    return *std::move(loader);
  }

  static LayerConfig staticLayer(std::string name, Entries entries) {
    LayerConfig layer;
    layer.name = std::move(name);
    layer.entries = std::move(entries);
    return layer;
  }
  static LayerConfig adminLayer(std::string name) {
    LayerConfig layer;
    layer.name = std::move(name);
    layer.kind = LayerConfig::Kind::kAdmin;
    return layer;
  }
  LayerConfig diskLayer(const std::string& link, bool append_cluster = false) {
    LayerConfig layer;
    layer.name = "disk";
    layer.kind = LayerConfig::Kind::kDisk;
    layer.symlink_root = (root_ / link).string();
    layer.subdirectory = "sub";
    layer.append_service_cluster = append_cluster;
    return layer;
  }
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  static std::string valueOf(const Loader& loader, const std::string& key) {
    const Entry* const entry = loader.snapshot()->find(key);
    return entry == nullptr ? "<none>" : entry->text;
  }

  fs::path root_;
  std::string error_;
  base::SystemClock clock_;
  event::Loop loop_{"main", clock_};
  stats::Store store_{1, stats::StoreConfig()};
};

TEST(Entry, IsReadAsAllThatItCanBe) {
  EXPECT_EQ(Entry::parse("18446744073709551615").integer, 18446744073709551615u);
  EXPECT_EQ(Entry::parse("1.5").number, 1.5);
  EXPECT_EQ(Entry::parse("1.5").integer, 1u);
  EXPECT_FALSE(Entry::parse("-3").integer);
  EXPECT_EQ(Entry::parse("-3").number, -3);
  EXPECT_EQ(Entry::parse("TRUE").boolean, true);
  EXPECT_EQ(Entry::parse("false").boolean, false);
  EXPECT_FALSE(Entry::parse("no").boolean);
  EXPECT_FALSE(Entry::parse("hello").number);
  EXPECT_EQ(Entry::ofNumber(1e20).text, "1e+20");
  EXPECT_EQ(Entry::ofNumber(12345678901).text, "12345678901");
  EXPECT_EQ(Entry::ofNumber(0.1).text, "0.1");
  EXPECT_FALSE(Entry::ofNumber(1e20).integer);
}

TEST(Entry, KnowsFractions) {
  EXPECT_EQ(Entry::parse("numerator: 5").fraction->numerator, 5u);
  EXPECT_EQ(Entry::parse("numerator: 5").fraction->denominator, 100u);
  EXPECT_EQ(Entry::parse("{numerator: 7, denominator: MILLION}").fraction->denominator, 1000000u);
  EXPECT_EQ(Entry::parse("numerator: 7\ndenominator: TEN_THOUSAND\n").fraction->denominator,
            10000u);
  EXPECT_EQ(Entry::parse(R"({"numerator":7,"denominator":"MILLION"})").fraction->denominator,
            1000000u);
  EXPECT_FALSE(Entry::parse("{numerator: 7").fraction);
  EXPECT_FALSE(Entry::parse("{denominator: SOME}").fraction);
  EXPECT_FALSE(Entry::parse("").fraction);
}

TEST_F(LoaderTest, LaterLayersWin) {
  const auto loader =
      make({staticLayer("base", {{"a", Entry::parse("1")}, {"b", Entry::parse("x")}}),
            staticLayer("top", {{"a", Entry::parse("2")}})});
  EXPECT_EQ(valueOf(*loader, "a"), "2");
  EXPECT_EQ(valueOf(*loader, "b"), "x");
  EXPECT_EQ(valueOf(*loader, "c"), "<none>");
  EXPECT_EQ(store_.findGauge("runtime.num_keys")->value(), 2u);
  EXPECT_EQ(store_.findGauge("runtime.num_layers")->value(), 2u);
  EXPECT_EQ(store_.findCounter("runtime.load_success")->value(), 1u);
}

TEST_F(LoaderTest, TheAdminSetsAndRemovesOverrides) {
  const auto loader = make({staticLayer("base", {{"a", Entry::parse("1")}}), adminLayer("admin")});
  ASSERT_TRUE(loader->modify({{"a", "5"}, {"n", "6"}}).ok());
  EXPECT_EQ(valueOf(*loader, "a"), "5");
  EXPECT_EQ(store_.findGauge("runtime.admin_overrides_active")->value(), 1u);
  ASSERT_TRUE(loader->modify({{"a", ""}, {"n", ""}}).ok());
  EXPECT_EQ(valueOf(*loader, "a"), "1");
  EXPECT_EQ(valueOf(*loader, "n"), "<none>");
  EXPECT_EQ(store_.findGauge("runtime.admin_overrides_active")->value(), 0u);
}

TEST_F(LoaderTest, NothingIsModifiedWithoutAnAdminLayer) {
  const auto loader = make({});
  EXPECT_EQ(loader->modify({{"a", "b"}}), absl::UnavailableError("No admin layer specified"));
}

TEST_F(LoaderTest, AWatchedValueFollowsItsKey) {
  auto loader = make({adminLayer("admin")});
  const Watched<uint64_t> limit = loader->watch<uint64_t>("limit", 10);
  const Watched<bool> on = loader->watch("on", true);
  const Watched<Fraction> share = loader->watch("share", Fraction{1, 100});
  EXPECT_EQ(limit.get(), 10u);
  ASSERT_TRUE(loader->modify({{"limit", "3"}, {"on", "false"}, {"share", "50"}}).ok());
  EXPECT_EQ(limit.get(), 3u);
  EXPECT_FALSE(on.get());
  EXPECT_EQ(share.get().numerator, 50u);
  ASSERT_TRUE(loader->modify({{"limit", "many"}}).ok());
  EXPECT_EQ(limit.get(), 10u) << "a value of another kind counts as none";
  loader.reset();
  EXPECT_EQ(limit.get(), 10u);
}

TEST_F(LoaderTest, ReadsATreeFromDisk) {
  put("one/sub/num", "# a comment\n42\n\n");
  put("one/sub/a.b/deep/text", "tru e  \n# c\nmore\n");
  put("one/sub/empty", "");
  fs::create_symlink(root_ / "one", root_ / "now");
  const auto loader = make({diskLayer("now")});
  EXPECT_EQ(valueOf(*loader, "num"), "42");
  EXPECT_EQ(valueOf(*loader, "a.b.deep.text"), "tru e  \nmore");
  EXPECT_EQ(valueOf(*loader, "empty"), "");
}

TEST_F(LoaderTest, ReadsTheTreeAgainWhenItsLinkIsReplaced) {
  put("one/sub/num", "1");
  put("two/sub/num", "2");
  fs::create_symlink(root_ / "one", root_ / "now");
  const auto loader = make({diskLayer("now")});
  const Watched<uint64_t> watched = loader->watch<uint64_t>("num", 0);
  fs::create_symlink(root_ / "two", root_ / "next");
  fs::rename(root_ / "next", root_ / "now");
  loop_.runOnce(true);
  EXPECT_EQ(watched.get(), 2u);
  EXPECT_EQ(store_.findCounter("runtime.load_success")->value(), 2u);
}

TEST_F(LoaderTest, AddsTheClusterToThePathWhenAsked) {
  put("one/sub/cl/x/y", "9");
  const auto loader = make({diskLayer("one", true)});
  EXPECT_EQ(valueOf(*loader, "x.y"), "9");
  EXPECT_EQ(store_.findCounter("runtime.override_dir_exists")->value(), 1u);
  const auto other = make({diskLayer("none", true)});
  EXPECT_EQ(store_.findCounter("runtime.override_dir_not_exists")->value(), 1u);
}

TEST_F(LoaderTest, RefusesWhatEnvoyRefuses) {
  EXPECT_EQ(make({adminLayer("a"), adminLayer("b")}), nullptr);
  EXPECT_EQ(error_,
            "Too many admin layers specified in LayeredRuntime, at most one may be specified");
  EXPECT_EQ(make({adminLayer("a"), staticLayer("a", {})}), nullptr);
  EXPECT_EQ(error_, "Duplicate layer name: a");
  EXPECT_EQ(make({diskLayer("no/such/folder")}), nullptr);
  EXPECT_EQ(error_, "unable to add filesystem watch for file " +
                        (root_ / "no/such/folder").string() + ": No such file or directory");
}

} // namespace
} // namespace culvert::runtime
