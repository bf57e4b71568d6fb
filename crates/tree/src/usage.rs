//! Tokens and money, in their form on disk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens and money, as far as an agent reported them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens that the model read, including those from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_tokens: Option<u64>,
    /// Tokens that the model wrote, including its thoughts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output_tokens: Option<u64>,
    /// Tokens that were read from the provider's cache.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached_tokens: Option<u64>,
    /// US dollars.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Adds other figures. A figure that is absent in both stays absent.
    pub fn add(&mut self, more: &Self) {
        let tokens = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        };
        tokens(&mut self.input_tokens, more.input_tokens);
        tokens(&mut self.output_tokens, more.output_tokens);
        tokens(&mut self.cached_tokens, more.cached_tokens);
        if let Some(more) = more.cost_usd {
            self.cost_usd = Some(self.cost_usd.unwrap_or(0.0) + more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_not_zero() {
        let mut sum = Usage::default();
        sum.add(&Usage { input_tokens: Some(3), ..Usage::default() });
        sum.add(&Usage { input_tokens: Some(4), cost_usd: Some(0.5), ..Usage::default() });
        assert_eq!(sum, Usage { input_tokens: Some(7), cost_usd: Some(0.5), ..Usage::default() });
    }
}
