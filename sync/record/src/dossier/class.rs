//! Classes of outfalls: HJ 1312-2023, 《入河入海排污口监督管理技术指南 入河排污口分类》.

use super::terms::terms;

terms! {
    /// One class, a leaf of the standard's tree.
    OutfallClass {
        0 IndustrialEnterprise "industrial_enterprise" "industrial enterprise" "工业企业排污口",
        1 Mine "mine" "mine" "矿山排污口",
        2 TailingsPond "tailings_pond" "tailings pond" "尾矿库排污口",
        3 IndustrialEnterpriseStormwater "industrial_enterprise_stormwater" "storm water of an industrial enterprise" "工业企业雨洪排口",
        4 MineStormwater "mine_stormwater" "storm water of a mine" "矿山雨洪排口",
        5 TailingsPondStormwater "tailings_pond_stormwater" "storm water of a tailings pond" "尾矿库雨洪排口",
        6 ParkTreatmentPlant "park_treatment_plant" "treatment plant of an industrial or other park" "工业及其他各类园区污水处理厂排污口",
        7 ParkTreatmentPlantStormwater "park_treatment_plant_stormwater" "storm water of a park's treatment plant" "园区污水处理厂雨洪排口",
        8 UrbanTreatmentPlant "urban_treatment_plant" "urban sewage treatment plant" "城镇污水处理厂排污口",
        9 LargeLivestock "large_livestock" "large livestock farm" "规模化畜禽养殖排污口",
        10 LargeAquaculture "large_aquaculture" "large fish farm" "规模化水产养殖排污口",
        11 IrrigationDistrict "irrigation_district" "large or medium irrigation district" "大中型灌区排口",
        12 PortWharf "port_wharf" "port or wharf" "港口码头排口",
        13 SmallLivestock "small_livestock" "small livestock farm" "规模以下畜禽养殖排污口",
        14 SmallAquaculture "small_aquaculture" "small fish farm" "规模以下水产养殖排污口",
        15 RuralTreatmentFacility "rural_treatment_facility" "rural sewage treatment facility" "农村污水处理设施排污口",
        16 RuralSewage "rural_sewage" "scattered rural domestic sewage" "农村生活污水散排口",
        17 UrbanStormwater "urban_stormwater" "urban storm water" "城镇雨洪排口",
        18 UrbanSewage "urban_sewage" "scattered urban domestic sewage" "城镇生活污水散排口",
        19 Other "other" "other" "其他排口",
    }
}

/// The first level of the standard's tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutfallCategory {
    /// 工业排污口
    Industrial,
    /// 城镇污水处理厂排污口
    UrbanTreatmentPlant,
    /// 农业排口
    Agricultural,
    /// 其他排口
    Other,
}

impl OutfallClass {
    /// The first level that it belongs to.
    pub fn category(self) -> OutfallCategory {
        match self {
            OutfallClass::UrbanTreatmentPlant => OutfallCategory::UrbanTreatmentPlant,
            OutfallClass::LargeLivestock | OutfallClass::LargeAquaculture => OutfallCategory::Agricultural,
            class if class <= OutfallClass::ParkTreatmentPlantStormwater => OutfallCategory::Industrial,
            _ => OutfallCategory::Other,
        }
    }

    /// Whether storm water leaves there: such an outfall is never to be closed or merged (绥政办发〔2023〕5号).
    pub fn is_stormwater(self) -> bool {
        matches!(
            self,
            OutfallClass::IndustrialEnterpriseStormwater
                | OutfallClass::MineStormwater
                | OutfallClass::TailingsPondStormwater
                | OutfallClass::ParkTreatmentPlantStormwater
                | OutfallClass::UrbanStormwater
        )
    }
}

impl OutfallCategory {
    /// In English.
    pub fn english(self) -> &'static str {
        match self {
            OutfallCategory::Industrial => "industrial",
            OutfallCategory::UrbanTreatmentPlant => "urban sewage treatment plant",
            OutfallCategory::Agricultural => "agricultural",
            OutfallCategory::Other => "other",
        }
    }

    /// As the standard names it.
    pub fn chinese(self) -> &'static str {
        match self {
            OutfallCategory::Industrial => "工业排污口",
            OutfallCategory::UrbanTreatmentPlant => "城镇污水处理厂排污口",
            OutfallCategory::Agricultural => "农业排口",
            OutfallCategory::Other => "其他排口",
        }
    }
}
