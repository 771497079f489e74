-- First contents of the tables that the operator edits: countries, platforms, prices.

INSERT INTO countries (code, name, aliases, timezone, enabled_for) VALUES
    ('USA', 'United States', '{US,UNITED STATES OF AMERICA,AMERICA}', 'America/New_York', '{account,videos}'),
    ('UK', 'United Kingdom', '{GB,GBR,GREAT BRITAIN}', 'Europe/London', '{account,videos}'),
    ('FR', 'France', '{FRA}', 'Europe/Paris', '{account,videos}'),
    ('DE', 'Germany', '{DEU}', 'Europe/Berlin', '{account,videos}'),
    ('CA', 'Canada', '{CAN}', 'America/Toronto', '{account,videos}'),
    ('IT', 'Italy', '{ITA}', 'Europe/Rome', '{account,videos}'),
    ('ES', 'Spain', '{ESP}', 'Europe/Madrid', '{account,videos}'),
    ('PH', 'Philippines', '{PHL}', 'Asia/Manila', '{account,videos}'),
    ('AU', 'Australia', '{AUS}', 'Australia/Sydney', '{account,videos}'),
    ('BE', 'Belgium', '{BEL}', 'Europe/Brussels', '{account,videos}'),
    ('BR', 'Brazil', '{BRA}', 'America/Sao_Paulo', '{account,videos}'),
    ('MX', 'Mexico', '{MEX}', 'America/Mexico_City', '{account,videos}'),
    ('NL', 'Netherlands', '{NLD,HOLLAND}', 'Europe/Amsterdam', '{account,videos}'),
    ('PL', 'Poland', '{POL}', 'Europe/Warsaw', '{account,videos}'),
    ('PT', 'Portugal', '{PRT}', 'Europe/Lisbon', '{account,videos}'),
    ('CH', 'Switzerland', '{CHE}', 'Europe/Zurich', '{account,videos}'),
    ('IN', 'India', '{IND}', 'Asia/Kolkata', '{account,videos}'),
    ('JP', 'Japan', '{JPN}', 'Asia/Tokyo', '{account,videos}');

INSERT INTO platforms (code, name, enabled, video_types, caption_max, comment_max, carousel_max, features)
VALUES
    ('tiktok', 'TikTok', true, '{video,carousel}', 2200, 150, 35,
     '{tiktok_sound,sound_volume,ai_content_disclaimer,disclose_as_ads,niche_warming,moderation}'),
    ('instagram', 'Instagram', true, '{video,carousel,story}', 2200, 2200, 20,
     '{stories,story_repost,instant_repost,collaborators,location,link_in_bio,ai_content_disclaimer,disclose_as_ads,niche_warming,deep_warming,moderation}');

INSERT INTO prices (name, valid_from, amount) VALUES
    ('account_creation', '-infinity', 25),
    ('video_slot', '-infinity', 2),
    ('edit_slot', '-infinity', 3),
    ('niche_warming', '-infinity', 7),
    ('deep_warming', '-infinity', 40),
    ('moderation', '-infinity', 25),
    ('sound_volume', '-infinity', 1),
    ('story_repost', '-infinity', 1),
    ('instant_repost', '-infinity', 1),
    ('comment_task', '-infinity', 1),
    ('account_edit', '-infinity', 8),
    ('owning_fee', '-infinity', 0);
